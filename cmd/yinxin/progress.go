package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// progress is a bar on stderr for long work. It writes to a terminal only; the
// nil progress writes nothing.
type progress struct {
	out         io.Writer
	label       string
	count, last int
	total       int // 0: not known, only counted
}

// progress begins a bar; nil where nobody looks.
func (u *ui) progress(key string, total int) *progress {
	if !isTerminal(u.err) {
		return nil
	}
	return &progress{out: u.err, label: u.words.Get(key).Both(), total: total, last: -1}
}

const barWidth = 30

// step counts one and draws when something that is seen has changed.
func (p *progress) step() {
	if p == nil {
		return
	}
	p.count++
	if p.total == 0 {
		if p.count%100 == 0 {
			fmt.Fprintf(p.out, "\r%s %d", p.label, p.count)
		}
		return
	}
	percent := 100 * p.count / p.total
	if percent == p.last {
		return
	}
	p.last = percent
	full := barWidth * p.count / p.total
	fmt.Fprintf(p.out, "\r%s [%s%s] %3d%% %d/%d", p.label, strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), percent, p.count, p.total)
}

// done ends the line.
func (p *progress) done() {
	if p == nil || p.count == 0 {
		return
	}
	if p.total == 0 {
		fmt.Fprintf(p.out, "\r%s %d", p.label, p.count)
	}
	fmt.Fprintln(p.out)
}

// isTerminal reports whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
