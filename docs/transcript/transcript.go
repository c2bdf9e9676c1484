// Package transcript reads the commands on a page of documentation, and what the page says that they print. It runs
// nothing.
//
// A block of code with the language "sh" holds commands. One with "console" holds commands after "$ ", each followed
// by what it prints on both standard streams.
package transcript

import (
	"regexp"
	"strings"
)

// Block is a block of code.
type Block struct {
	Line     int // of the page, 1-based, on which the block's fence is
	Language string
	Text     string // without the indentation of the fence
}

// Command is one command of a console, or all commands of a shell's block.
type Command struct {
	Line   int
	Text   string
	Output string
}

// Blocks returns the blocks of code on a page.
func Blocks(page string) []Block {
	var blocks []Block
	var open *Block
	var fence, indentation string
	for i, line := range strings.Split(page, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case open == nil && strings.HasPrefix(trimmed, "```"):
			indentation = line[:len(line)-len(trimmed)]
			language := strings.TrimLeft(trimmed, "`")
			fence = trimmed[:len(trimmed)-len(language)]
			open = &Block{Line: i + 1, Language: language}
		case open != nil && trimmed == fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, indentation) + "\n"
		}
	}
	return blocks
}

// Prose returns a page with its blocks of code and its inline code blanked, so that offsets and lines stay.
func Prose(page string) string {
	lines := strings.Split(page, "\n")
	for _, block := range Blocks(page) {
		for i := range strings.Count(block.Text, "\n") + 2 {
			lines[block.Line-1+i] = ""
		}
	}
	return inline.ReplaceAllString(strings.Join(lines, "\n"), "code")
}

var inline = regexp.MustCompile("`[^`\n]+`")

// Commands returns the commands of a block; none if it is in another language.
func (b Block) Commands() []Command {
	switch b.Language {
	case "sh":
		return []Command{{Line: b.Line + 1, Text: b.Text}}
	case "console":
		return b.console()
	}
	return nil
}

// document matches the start of a here-document, whose lines belong to the command.
var document = regexp.MustCompile(`<<-?'?([A-Z]+)'?`)

func (b Block) console() []Command {
	var commands []Command
	until := "" // the word that ends a here-document
	continued := false
	for i, line := range strings.SplitAfter(b.Text, "\n") {
		text, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case until != "" || continued:
			last := &commands[len(commands)-1]
			last.Text += line
			if strings.TrimSpace(line) == until {
				until = ""
			}
			continued = until == "" && strings.HasSuffix(line, "\\\n")
		case isCommand:
			commands = append(commands, Command{Line: b.Line + 1 + i, Text: text})
			if word := document.FindStringSubmatch(text); word != nil {
				until = word[1]
			}
			continued = strings.HasSuffix(text, "\\\n")
		case len(commands) > 0:
			commands[len(commands)-1].Output += line
		}
	}
	return commands
}
