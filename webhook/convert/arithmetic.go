package convert

import (
	"math"
	"strconv"

	"mvdan.cc/sh/v3/syntax"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// maxOperand limits operands so that no operation below overflows 64 bits.
const maxOperand = 1 << 30

// arithmetic evaluates an expression. It returns false if the expression is not constant.
func (r *run) arithmetic(e syntax.ArithmExpr) (int64, bool) {
	switch e := e.(type) {
	case *syntax.ParenArithm:
		return r.arithmetic(e.X)
	case *syntax.Word:
		return r.operand(e)
	case *syntax.BinaryArithm:
		x, okX := r.arithmetic(e.X)
		y, okY := r.arithmetic(e.Y)
		if !okX || !okY {
			return 0, false
		}
		switch {
		case e.Op == syntax.Add:
			return x + y, true
		case e.Op == syntax.Sub:
			return x - y, true
		case e.Op == syntax.Mul && abs(x) <= maxOperand && abs(y) <= maxOperand:
			return x * y, true
		case e.Op == syntax.Quo && y != 0:
			return x / y, true
		case e.Op == syntax.Rem && y != 0:
			return x % y, true
		case e.Op == syntax.Shl && x >= 0 && x <= maxOperand && y >= 0 && y < 32:
			return x << y, true
		}
	}
	return 0, false
}

func abs(n int64) int64 { return max(n, -n) }

// operand reads a number, or a variable that contains one. It rejects leading zeros, which would mean octal.
func (r *run) operand(w *syntax.Word) (int64, bool) {
	value := r.joined(w)
	if name := w.Lit(); name != "" {
		if v, ok := r.lookup(name); ok && !sysctl.IsWholeNumber(name) {
			value = v
		}
	}
	if !value.isConstant() {
		return 0, false
	}
	return number(value.s)
}

// number reads a whole number in decimal, without leading zeros or blanks. Every shell and the kernel read it alike.
func number(s string) (int64, bool) {
	if !sysctl.IsWholeNumber(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && abs(n) < math.MaxInt64/4
}

// arithmeticCommand runs (( )): a comparison, as in `(( $(sysctl -n name) < 1024 ))`.
func (r *run) arithmeticCommand(c *syntax.ArithmCmd) int {
	binary, ok := c.X.(*syntax.BinaryArithm)
	operators := map[syntax.BinAritOperator]string{
		syntax.Lss: "-lt", syntax.Leq: "-le", syntax.Gtr: "-gt", syntax.Geq: "-ge",
		syntax.Eql: "-eq", syntax.Neq: "-ne",
	}
	if !ok || operators[binary.Op] == "" {
		r.problem(c.Pos(), "this arithmetic is not understood")
		return 0
	}
	var sides [2]text
	for i, side := range []syntax.ArithmExpr{binary.X, binary.Y} {
		if n, ok := r.arithmetic(side); ok {
			sides[i] = constant(strconv.FormatInt(n, 10))
			continue
		}
		word, ok := side.(*syntax.Word)
		if !ok {
			sides[i] = text{opaque: true}
			continue
		}
		sides[i] = r.joined(word)
		if v, ok := r.lookup(word.Lit()); ok && word.Lit() != "" {
			sides[i] = v
		}
	}
	return r.compare(int(c.Pos().Line()), sides[0], operators[binary.Op], sides[1], true)
}
