package pdf

import (
	"bytes"
	"fmt"
	"slices"
)

// update is an incremental update in the making (7.5.6): whole new bodies of the
// objects that change, and a cross-reference section in the style of the file, so
// that a reader which follows the file also follows the update.
type update struct {
	d    *Document
	out  bytes.Buffer // what follows the file
	base int64        // length of the file
	next int          // the next free object number
	info Object       // of the trailer, where it becomes another one
	at   map[Ref]int64
}

func newUpdate(d *Document) *update {
	u := &update{d: d, base: d.size, next: len(d.entries), at: map[Ref]int64{}}
	if size, ok := d.Trailer.Get("Size").(Int); ok && int64(size) < maxObjects {
		u.next = max(u.next, int(size))
	}
	// The signed part of an earlier seal must stay as it is, so a missing line
	// end is added behind it.
	if c, ok := d.s.at(d.size - 1); ok && c != '\n' && c != '\r' {
		u.out.WriteByte('\n')
	}
	return u
}

func (u *update) pos() int64 { return u.base + int64(u.out.Len()) }

func (u *update) alloc() Ref {
	u.next++
	return Ref{u.next - 1, 0}
}

// put writes an object.
func (u *update) put(ref Ref, o Object) {
	u.begin(ref)
	write(&u.out, o)
	u.out.WriteString("\nendobj\n")
}

func (u *update) begin(ref Ref) {
	u.at[ref] = u.pos()
	fmt.Fprintf(&u.out, "%d %d obj\n", ref.Num, ref.Gen)
}

// putStream writes a stream object.
func (u *update) putStream(ref Ref, dict *Dict, data []byte) {
	u.begin(ref)
	write(&u.out, dict.with("Length", Int(len(data))))
	u.out.WriteString("\nstream\n")
	u.out.Write(data)
	u.out.WriteString("\nendstream\nendobj\n")
}

// finish writes the cross-reference section.
func (u *update) finish() {
	trailer := &Dict{}
	var table Ref
	if !u.d.table {
		table = u.alloc()
	}
	trailer.set("Size", Int(u.next))
	for _, k := range []Name{"Root", "Info", "ID"} {
		if v := u.d.Trailer.Get(k); v != nil {
			trailer.set(k, v)
		}
	}
	if u.info != nil {
		trailer.set("Info", u.info)
	}
	trailer.set("Prev", Int(u.d.start))
	start := u.pos()
	if u.d.table {
		u.writeTable(trailer)
	} else {
		u.writeStream(table, trailer)
	}
	fmt.Fprintf(&u.out, "startxref\n%d\n%%%%EOF\n", start)
}

// runs are the written objects in runs of consecutive numbers.
func (u *update) runs() [][]Ref {
	refs := make([]Ref, 0, len(u.at))
	for r := range u.at {
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b Ref) int { return a.Num - b.Num })
	var out [][]Ref
	for _, r := range refs {
		if n := len(out); n > 0 && out[n-1][len(out[n-1])-1].Num == r.Num-1 {
			out[n-1] = append(out[n-1], r)
		} else {
			out = append(out, []Ref{r})
		}
	}
	return out
}

func (u *update) writeTable(trailer *Dict) {
	u.out.WriteString("xref\n")
	for _, run := range u.runs() {
		fmt.Fprintf(&u.out, "%d %d\n", run[0].Num, len(run))
		for _, r := range run {
			fmt.Fprintf(&u.out, "%010d %05d n\r\n", u.at[r], r.Gen)
		}
	}
	u.out.WriteString("trailer\n")
	write(&u.out, trailer)
	u.out.WriteByte('\n')
}

func (u *update) writeStream(ref Ref, dict *Dict) {
	u.begin(ref)
	index := Array{}
	var rows []byte
	for _, run := range u.runs() {
		index = append(index, Int(run[0].Num), Int(len(run)))
		for _, r := range run {
			at := u.at[r]
			rows = append(rows, 1, byte(at>>32), byte(at>>24), byte(at>>16), byte(at>>8), byte(at), byte(r.Gen>>8), byte(r.Gen))
		}
	}
	dict.set("Type", Name("XRef"))
	dict.set("W", Array{Int(1), Int(5), Int(2)})
	dict.set("Index", index)
	dict.set("Length", Int(len(rows)))
	write(&u.out, dict)
	u.out.WriteString("\nstream\n")
	u.out.Write(rows)
	u.out.WriteString("\nendstream\nendobj\n")
}
