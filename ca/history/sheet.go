package history

import (
	"encoding/csv"
	"io"
	"strings"
)

// Sheet writes CSV (RFC 4180) that spreadsheet programs open as it is meant:
// UTF-8 with a byte order mark, and no cell that they would compute. It keeps one
// row at a time.
type Sheet struct{ w *csv.Writer }

// NewSheet begins a sheet with its head.
func NewSheet(w io.Writer, head ...string) (*Sheet, error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, err
	}
	s := &Sheet{csv.NewWriter(w)}
	s.w.UseCRLF = true
	return s, s.Row(head...)
}

// Row writes a row and hands it on.
func (s *Sheet) Row(cells ...string) error {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = Inert(c)
	}
	if err := s.w.Write(safe); err != nil {
		return err
	}
	s.w.Flush()
	return s.w.Error()
}

// Inert keeps a cell from being taken for a formula: one that begins with a sign
// of a formula, or with a control character before it, gets an apostrophe, which
// spreadsheet programs take for "this is text".
func Inert(cell string) string {
	rest := strings.TrimLeft(cell, " \u00a0\u3000\ufeff\n")
	if rest == "" || !strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(rest)[0]) {
		return cell
	}
	return "'" + cell
}
