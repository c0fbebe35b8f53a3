package ledger

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// VerifySlice checks a slice with public keys only, and returns the events of the
// entries that hold. Report.Entries counts those of the slice; Remembered of the
// policy is not for slices.
func VerifySlice(r io.Reader, p Policy) (*Report, []Event, error) {
	v := &verification{policy: p, kind: sliceKind, report: Report{Findings: []Finding{}}}
	in := bufio.NewReaderSize(r, maxLine)
	line, err := readLine(in)
	if err != nil {
		return nil, nil, err
	}
	if !v.open(line) {
		return v.finish(), nil, nil
	}
	if v.note == nil {
		return v.finish(), nil, nil
	}
	events, err := v.readSlice(in)
	if err != nil {
		return nil, nil, err
	}
	v.trust()
	return v.finish(), events, nil
}

// readSlice checks entry after entry, each with its proof, and then the end.
func (v *verification) readSlice(in *bufio.Reader) (events []Event, err error) {
	v.report.Root = fmt.Sprintf("%x", v.note.Root)
	next := uint64(0)
	for {
		line, err := readLine(in)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(line, []byte(`{"seq":`)) {
			v.endSlice(in, line)
			return events, nil
		}
		e, bad := parseLine(line)
		if bad != nil || v.report.Entries == maxSlice {
			v.fail(CodeFormat, fmt.Sprintf("entry %d of the slice", v.report.Entries+1))
			return events, nil
		}
		e.Shard = v.man.Shard
		if line, err = readLine(in); err != nil {
			return nil, err
		}
		faults := v.report.Faults
		v.sliceEntry(&e, line, next)
		if next = e.Seq + 1; v.report.Faults == faults && e.Body != nil {
			if ev, err := Decode(e.Body); err == nil {
				events = append(events, ev)
			}
		}
		v.report.Entries++
	}
}

// sliceEntry checks one entry alone and its place in the tree.
func (v *verification) sliceEntry(e *Entry, proofLine []byte, next uint64) {
	c := (&part{shard: v.man.Shard, begin: e.Seq, entries: []Entry{*e}, bodies: true}).check()
	for _, f := range c.findings {
		f.Seq = &e.Seq
		v.add(f)
	}
	if e.Seq < next {
		v.add(Finding{Code: CodeSeqOrder, Result: ResultFail, Seq: &e.Seq})
	}
	if e.Body == nil { // the proof stands; who erased it, and why, is not in a slice
		v.add(Finding{Code: CodeRedacted, Result: ResultIndeterminate, Seq: &e.Seq})
		v.report.Redacted++
	} else {
		v.report.Bodies++
	}
	if h, err := ParseHeader(e.Header); err == nil {
		if v.report.First.IsZero() {
			v.report.First = h.When()
		}
		v.report.Last = h.When()
	}
	var p slicePath
	if err := unmarshalLine(proofLine, &p); err != nil {
		v.add(Finding{Code: CodeFormat, Result: ResultFail, Seq: &e.Seq, Detail: "proof"})
		return
	}
	if err := VerifyInclusion(LeafHash(e.Header), e.Seq, v.note.Size, p.Path, v.note.Root); err != nil {
		v.add(Finding{Code: CodeRoot, Result: ResultFail, Seq: &e.Seq, Detail: "proof"})
	}
}

func (v *verification) endSlice(in *bufio.Reader, line []byte) {
	var last endManifest
	switch {
	case line == nil || unmarshalLine(line, &last) != nil || last.Kind != sliceEndKind:
		v.fail(CodeManifest, "last line")
	case last.Entries != v.report.Entries || v.man.Entries != v.report.Entries:
		v.fail(CodeManifest, fmt.Sprintf("%d entries, the first line says %d, the last %d", v.report.Entries, v.man.Entries, last.Entries))
	case !bytes.Equal(last.Root, v.note.Root[:]):
		v.fail(CodeRoot, "last line")
	}
	if _, err := in.ReadByte(); err == nil {
		v.fail(CodeManifest, "something follows the last line")
	}
}
