package ofd

import (
	"fmt"
	"strings"
)

// CustomData is one pair of the description of a document (GB/T 33190-2016, 7.4,
// CustomDatas): readers show them among the properties.
type CustomData struct{ Name, Value string }

// readCustom takes every pair, names as they stand: who looks for one decides
// what a name that stands twice means.
func readCustom(list *node) []CustomData {
	if list == nil {
		return nil
	}
	var out []CustomData
	for _, k := range list.kids {
		if k.name == "CustomData" {
			out = append(out, CustomData{k.get("Name"), k.text})
		}
	}
	return out
}

// editCustom adds pairs behind those that stand. CustomDatas is the last element
// of DocInfo, and DocInfo the first of DocBody (GB/T 33190-2016, 7.4).
func (q *Pending) editCustom(b *Body, add []CustomData) error {
	if len(add) == 0 {
		return nil
	}
	taken := map[string]bool{"": true}
	for _, c := range b.Custom {
		taken[c.Name] = true
	}
	for _, c := range add {
		if taken[c.Name] {
			return fmt.Errorf("%w: name %.80q", ErrCustom, c.Name)
		}
		taken[c.Name] = true
	}
	raw, all, err := q.docBody(b, 4)
	if err != nil {
		return err
	}
	body := all[0]
	name := func(local string) string { return qualified(body.prefix, local) }
	wrap := func(local, text string) string { return "<" + name(local) + ">" + text + "</" + name(local) + ">" }
	var pairs strings.Builder
	for _, c := range add {
		fmt.Fprintf(&pairs, `<%s Name="%s">%s</%s>`, name("CustomData"), escape(c.Name), escape(c.Value), name("CustomData"))
	}
	var info *span
	for i := range all {
		switch s := &all[i]; {
		case s.level == 2 && s.name == "DocInfo" && info == nil:
			info = s
		case s.level == 3 && s.name == "CustomDatas" && info != nil && s.start < info.stop:
			q.put("/OFD.xml", insertBefore(raw, *s, pairs.String()))
			return nil
		}
	}
	list := wrap("CustomDatas", pairs.String())
	if info != nil {
		q.put("/OFD.xml", insertBefore(raw, *info, list))
		return nil
	}
	out := append([]byte{}, raw[:body.body]...)
	q.put("/OFD.xml", append(append(out, wrap("DocInfo", list)...), raw[body.body:]...))
	return nil
}
