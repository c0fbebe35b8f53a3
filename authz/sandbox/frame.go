package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A frame is its length in four bytes, big-endian, and one JSON value.
const (
	maxToChild   = 4*(MaxModules+MaxData) + MaxQuestion // JSON may escape what it carries
	maxFromChild = 1 << 20
)

// question to a child: the source first, then inputs or tests.
type question struct {
	Source *Source         `json:"source,omitempty"`
	Eval   time.Duration   `json:"eval,omitempty"` // with Source
	Input  json.RawMessage `json:"input,omitempty"`
	Test   bool            `json:"test,omitempty"`
}

// answer of a child.
type answer struct {
	Results map[string]json.RawMessage `json:"results,omitempty"`
	Tests   []Tested                   `json:"tests,omitempty"`
	Gate    []Finding                  `json:"gate,omitempty"`
	Failed  string                     `json:"failed,omitempty"` // failedTime, failedSize, else the cause
	Used    time.Duration              `json:"used"`             // processor time of the child so far
}

const (
	failedTime = "time"
	failedSize = "size"
)

func (a answer) err() error {
	switch {
	case len(a.Gate) > 0:
		return &GateError{a.Gate}
	case a.Failed == failedTime:
		return ErrTime
	case a.Failed == failedSize:
		return fmt.Errorf("%w: the answer", ErrSize)
	case a.Failed != "":
		return fmt.Errorf("%w: %s", ErrEval, a.Failed)
	}
	return nil
}

func writeFrame(w io.Writer, v any, limit int) error {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	n := b.Len() - 4
	if n > limit {
		return fmt.Errorf("%w: %d bytes", ErrSize, n)
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(n))
	_, err := w.Write(b.Bytes())
	return err
}

var errFrame = errors.New("sandbox: malformed frame")

func readFrame(r io.Reader, v any, limit int) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if int64(n) > int64(limit) {
		return fmt.Errorf("%w: %d bytes announced", errFrame, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", errFrame, err)
	}
	return nil
}
