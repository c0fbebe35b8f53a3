package ledger

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Walk reads an export without verifying it and calls each with every entry
// and its header, in order; it is for showing. each stops it with an error.
func Walk(r io.Reader, each func(Entry, Header) error) error {
	in := bufio.NewReaderSize(r, maxLine)
	line, err := readLine(in)
	if err != nil {
		return err
	}
	var m manifest
	if line == nil || unmarshalLine(line, &m) != nil || m.Kind != exportKind || m.Version != exportVersion {
		return fmt.Errorf("%w: no ledger export", ErrExport)
	}
	return walkEntries(in, m.Shard, each)
}

// walkEntries reads the lines behind the first one.
func walkEntries(in *bufio.Reader, shard uint32, each func(Entry, Header) error) error {
	for {
		line, err := readLine(in)
		if err != nil {
			return err
		}
		var end endManifest
		if line != nil && unmarshalLine(line, &end) == nil && end.Kind == exportEndKind {
			return nil
		}
		e, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrExport, err)
		}
		h, err := ParseHeader(e.Header)
		if err != nil {
			return fmt.Errorf("%w: seq %d: %w", ErrExport, e.Seq, err)
		}
		e.Shard = shard
		if err := each(e, h); err != nil {
			return err
		}
	}
}

// ErrExport: a file that is no readable export.
var ErrExport = errors.New("ledger: malformed export")

func marshalLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("ledger: encoding a manifest: %w", err)
	}
	return b.Bytes(), nil
}

// unmarshalLine accepts only the line that marshalLine writes.
func unmarshalLine(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return err
	}
	again, err := marshalLine(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, line) {
		return errLine
	}
	return nil
}

var errLine = errors.New("ledger: a line is not in its one form")

func appendLine(b []byte, e *Entry) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"id":"`...)
	b = append(b, e.ID...)
	b = append(b, `","header":`...)
	b = appendBytes(b, e.Header)
	b = append(b, `,"salt":`...)
	b = appendBytes(b, e.Salt)
	b = append(b, `,"body":`...)
	b = appendBytes(b, e.Body)
	return append(b, '}', '\n')
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

// parseLine is the strict inverse of appendLine.
func parseLine(line []byte) (Entry, error) {
	var e Entry
	s := scanner{rest: line}
	s.expect(`{"seq":`)
	e.Seq = s.number()
	s.expect(`,"id":"`)
	e.ID = string(s.until('"'))
	s.expect(`,"header":`)
	e.Header = s.bytes()
	s.expect(`,"salt":`)
	e.Salt = s.bytes()
	s.expect(`,"body":`)
	e.Body = s.bytes()
	s.expect("}\n")
	if s.bad || len(s.rest) > 0 || !ValidID(e.ID) || e.Header == nil || len(e.Body) > MaxBody {
		return Entry{}, errLine
	}
	return e, nil
}

// scanner reads the parts of a line; the first mistake sticks.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) expect(lit string) {
	var ok bool
	if s.rest, ok = bytes.CutPrefix(s.rest, []byte(lit)); !ok {
		s.bad = true
	}
}

func (s *scanner) until(end byte) []byte {
	i := bytes.IndexByte(s.rest, end)
	if i < 0 {
		s.bad = true
		return nil
	}
	out := s.rest[:i]
	s.rest = s.rest[i+1:]
	return out
}

func (s *scanner) number() uint64 {
	i := 0
	for i < len(s.rest) && s.rest[i] >= '0' && s.rest[i] <= '9' {
		i++
	}
	n, err := strconv.ParseUint(string(s.rest[:i]), 10, 64)
	if err != nil || i > 1 && s.rest[0] == '0' {
		s.bad = true
	}
	s.rest = s.rest[i:]
	return n
}

func (s *scanner) bytes() []byte {
	if rest, ok := bytes.CutPrefix(s.rest, []byte("null")); ok {
		s.rest = rest
		return nil
	}
	s.expect(`"`)
	text := s.until('"')
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	// The decoder skips line ends; the length shows them.
	if err != nil || base64.StdEncoding.EncodedLen(n) != len(text) {
		s.bad = true
	}
	return out[:n]
}
