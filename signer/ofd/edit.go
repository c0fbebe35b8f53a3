package ofd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// span is one element of the second level, or the root (level 0), by its place in
// the bytes.
type span struct {
	level        int
	prefix, name string
	start, body  int // of the start tag, of what follows it
	end, stop    int // of the end tag, of what follows it
}

// spans lists the elements of an XML file down to depth levels, so that an edit
// touches only its own bytes. Encodings other than UTF-8 are refused: we would
// write into them in the wrong one.
func spans(b []byte, depth int) ([]span, error) {
	dec := xml.NewDecoder(bytes.NewReader(b))
	var out []span
	var open []int
	for {
		start := int(dec.InputOffset())
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrXML, err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			open = append(open, -1)
			if len(open) <= depth {
				open[len(open)-1] = len(out)
				out = append(out, span{level: len(open) - 1, prefix: t.Name.Space, name: t.Name.Local,
					start: start, body: int(dec.InputOffset())})
			}
		case xml.EndElement:
			if len(open) == 0 {
				return nil, fmt.Errorf("%w: end tag", ErrXML)
			}
			if i := open[len(open)-1]; i >= 0 {
				out[i].end, out[i].stop = start, int(dec.InputOffset())
			}
			open = open[:len(open)-1]
		}
	}
	if len(out) == 0 || len(open) != 0 {
		return nil, fmt.Errorf("%w: file ends inside an element", ErrXML)
	}
	return out, nil
}

// insertBefore puts text before the end tag of s. An empty element <a/> has no
// end tag of its own in the bytes: it is opened.
func insertBefore(b []byte, s span, text string) []byte {
	var out bytes.Buffer
	if s.end == s.stop {
		tag := bytes.TrimRight(bytes.TrimSuffix(b[s.start:s.body], []byte("/>")), " \t\r\n")
		out.Write(b[:s.start])
		out.Write(tag)
		out.WriteString(">" + text + "</" + qualified(s.prefix, s.name) + ">")
		out.Write(b[s.stop:])
		return out.Bytes()
	}
	out.Write(b[:s.end])
	out.WriteString(text)
	out.Write(b[s.end:])
	return out.Bytes()
}

func qualified(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}

// editList adds the record of the new signature to Signatures.xml, and the list
// to OFD.xml when the document has none yet.
func (q *Pending) editList(b *Body, list, kind, id, last string) error {
	if b.List == "" {
		raw, err := q.linkList(b, list)
		if err != nil {
			return err
		}
		q.put("/OFD.xml", raw)
		q.put(list, fmt.Appendf(nil, `%s<ofd:Signatures xmlns:ofd="http://www.ofdspec.org/2016"><ofd:MaxSignId>%s</ofd:MaxSignId><ofd:Signature ID="%s" Type="%s" BaseLoc="%s"/></ofd:Signatures>`,
			xmlHead, last, id, kind, escape(q.signPath)))
		return nil
	}
	raw, err := q.pkg.Read(list)
	if err != nil {
		return err
	}
	all, err := spans(raw, 2)
	if err != nil {
		return fmt.Errorf("editing %s: %w", list, err)
	}
	root, numbered := all[0], false
	record := fmt.Sprintf(`<%s ID="%s" Type="%s" BaseLoc="%s"/>`, qualified(root.prefix, "Signature"), id, kind, escape(q.signPath))
	// From the end, so that earlier places stay true.
	for i := len(all) - 1; i > 0; i-- {
		if s := all[i]; s.name == "MaxSignId" && s.end > s.body {
			raw = append(append(append([]byte{}, raw[:s.body]...), last...), raw[s.end:]...)
			root.end += len(last) - (s.end - s.body)
			root.stop += len(last) - (s.end - s.body)
			numbered = true
		}
	}
	if !numbered {
		name := qualified(root.prefix, "MaxSignId")
		record = fmt.Sprintf("<%s>%s</%s>", name, last, name) + record
	}
	q.put(list, insertBefore(raw, root, record))
	return nil
}

// linkList adds the Signatures element to the DocBody that holds b.
func (q *Pending) linkList(b *Body, list string) ([]byte, error) {
	raw, all, err := q.docBody(b, 2)
	if err != nil {
		return nil, err
	}
	name := qualified(all[0].prefix, "Signatures")
	return insertBefore(raw, all[0], fmt.Sprintf("<%s>%s</%s>", name, escape(list), name)), nil
}

// docBody returns OFD.xml as it stands and the elements of the DocBody that
// holds b, itself first, down to depth levels of the file.
func (q *Pending) docBody(b *Body, depth int) ([]byte, []span, error) {
	raw, err := q.current("/OFD.xml")
	if err != nil {
		return nil, nil, err
	}
	all, err := spans(raw, depth)
	if err != nil {
		return nil, nil, fmt.Errorf("editing /OFD.xml: %w", err)
	}
	n := 0
	for i, s := range all {
		if s.level != 1 || s.name != "DocBody" {
			continue
		}
		if &q.pkg.Bodies[n] == b {
			end := i + 1
			for end < len(all) && all[end].level > 1 {
				end++
			}
			return raw, all[i:end], nil
		}
		n++
	}
	return nil, nil, fmt.Errorf("%w: DocBody not found", ErrUnsound)
}
