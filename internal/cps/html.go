package cps

import (
	"fmt"
	"html"
	"strings"
)

// HTML prints a Markdown text of ours as a page without scripts and without
// anything from elsewhere. It knows what the statement uses: headings, paragraphs,
// tables, and code in backticks.
func HTML(markdown, lang string) string {
	var b strings.Builder
	title, _, _ := strings.Cut(strings.TrimPrefix(markdown, "# "), "\n")
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=%q>\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>%s</title>\n", lang, html.EscapeString(title))
	b.WriteString("<style>body{max-width:46rem;margin:2rem auto;padding:0 1rem;font:1rem/1.7 serif}table{border-collapse:collapse}th,td{border:1px solid #999;padding:.2rem .6rem;text-align:left}code,td{overflow-wrap:anywhere}</style></head>\n<body>\n")
	for _, block := range strings.Split(markdown, "\n\n") {
		block = strings.TrimSpace(block)
		switch {
		case block == "":
		case strings.HasPrefix(block, "## "):
			fmt.Fprintf(&b, "<h2>%s</h2>\n", inline(block[3:]))
		case strings.HasPrefix(block, "# "):
			fmt.Fprintf(&b, "<h1>%s</h1>\n", inline(block[2:]))
		case strings.HasPrefix(block, "|"):
			table(&b, strings.Split(block, "\n"))
		default:
			fmt.Fprintf(&b, "<p>%s</p>\n", inline(strings.ReplaceAll(block, "\n", " ")))
		}
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

func table(b *strings.Builder, lines []string) {
	b.WriteString("<table>\n")
	for n, line := range lines {
		if n == 1 {
			continue // the rule below the head
		}
		cell := "td"
		if n == 0 {
			cell = "th"
		}
		b.WriteString("<tr>")
		for _, c := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			fmt.Fprintf(b, "<%s>%s</%[1]s>", cell, inline(strings.TrimSpace(c)))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table>\n")
}

// inline escapes text, and marks what stands between backticks.
func inline(s string) string {
	parts := strings.Split(s, "`")
	for i, p := range parts {
		parts[i] = html.EscapeString(p)
		if i%2 == 1 && i < len(parts)-1 {
			parts[i] = "<code>" + parts[i] + "</code>"
		}
	}
	return strings.Join(parts, "")
}
