package sysctl

import (
	"fmt"
	"strings"
)

// checkNumbers checks that each field of a ">=" value is a whole number from -2^63 to 2^64-1, in decimal without
// leading zeros: the kernel reads 0100 as 64.
func checkNumbers(value string) error {
	for number := range strings.SplitSeq(value, " ") {
		if !IsWholeNumber(number) {
			return fmt.Errorf(`">=" compares whole numbers, in decimal without leading zeros: %q is not one`,
				shorten(number))
		}
		limit := "18446744073709551615"
		digits, negative := strings.CutPrefix(number, "-")
		if negative {
			limit = "9223372036854775808"
		}
		if isLess(limit, digits) {
			return fmt.Errorf(`">=" compares 64-bit numbers: %s is out of range`, shorten(number))
		}
	}
	return nil
}

// isLess compares two natural numbers of any length, without leading zeros.
func isLess(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

// isLowerNumber compares two whole numbers of any length.
func isLowerNumber(a, b string) bool {
	aDigits, aNegative := strings.CutPrefix(a, "-")
	bDigits, bNegative := strings.CutPrefix(b, "-")
	switch {
	case aNegative != bNegative:
		return aNegative
	case aNegative:
		return isLess(bDigits, aDigits)
	default:
		return isLess(aDigits, bDigits)
	}
}

// IsWholeNumber reports whether a text is a whole number in decimal, without leading zeros: the kernel reads 0100 as
// 64.
func IsWholeNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] == '0' {
		return text == "0"
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return false
		}
	}
	return true
}
