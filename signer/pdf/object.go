package pdf

import (
	"bytes"
	"fmt"
	"strconv"
)

// Object is nil (null), bool, Int, Real, Name, *String, Array, *Dict, Ref or
// *Stream.
type Object any

// Int is an integer.
type Int int64

// Real keeps its text, so that what is written again is what was read.
type Real string

// Name is a name without its slash, escapes resolved.
type Name string

// String is a text or hexadecimal string and where its token stands in the file;
// Start is negative inside an object stream.
type String struct {
	Value      []byte
	Hex        bool
	Strict     bool // hexadecimal digits only, an even number of them
	Start, End int64
}

// Array is a list of objects.
type Array []Object

// Ref names an indirect object.
type Ref struct{ Num, Gen int }

// Dict keeps the order of its keys. Twice holds keys that stand more than once:
// readers differ in which one they take.
type Dict struct {
	Keys  []Name
	Vals  []Object
	Twice []Name
	index map[Name]int // from indexFrom keys on
}

const indexFrom = 16

// Stream is a dictionary with data in the file.
type Stream struct {
	Dict   *Dict
	Offset int64 // of the data
}

func (d *Dict) find(k Name) int {
	if d.index != nil {
		if i, ok := d.index[k]; ok {
			return i
		}
		return -1
	}
	for i, have := range d.Keys {
		if have == k {
			return i
		}
	}
	return -1
}

// Get returns the value of a key; nil when it is absent.
func (d *Dict) Get(k Name) Object {
	if d == nil {
		return nil
	}
	if i := d.find(k); i >= 0 {
		return d.Vals[i]
	}
	return nil
}

// set adds or replaces a value.
func (d *Dict) set(k Name, v Object) {
	if i := d.find(k); i >= 0 {
		d.Vals[i] = v
		return
	}
	d.Keys, d.Vals = append(d.Keys, k), append(d.Vals, v)
	switch {
	case d.index != nil:
		d.index[k] = len(d.Keys) - 1
	case len(d.Keys) == indexFrom:
		d.index = make(map[Name]int, 2*indexFrom)
		for i, k := range d.Keys {
			d.index[k] = i
		}
	}
}

// with is a copy with one value changed.
func (d *Dict) with(k Name, v Object) *Dict {
	out := &Dict{}
	for i, key := range d.Keys {
		out.set(key, d.Vals[i])
	}
	out.set(k, v)
	return out
}

// write appends an object as it stands in a file.
func write(b *bytes.Buffer, o Object) {
	switch v := o.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case Int:
		b.WriteString(strconv.FormatInt(int64(v), 10))
	case Real:
		b.WriteString(string(v))
	case Name:
		writeName(b, v)
	case *String:
		fmt.Fprintf(b, "<%X>", v.Value)
	case Ref:
		fmt.Fprintf(b, "%d %d R", v.Num, v.Gen)
	case Array:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(' ')
			}
			write(b, e)
		}
		b.WriteByte(']')
	case *Dict:
		b.WriteString("<<")
		for i, k := range v.Keys {
			writeName(b, k)
			b.WriteByte(' ')
			write(b, v.Vals[i])
			b.WriteByte('\n')
		}
		b.WriteString(">>")
	}
}

func writeName(b *bytes.Buffer, n Name) {
	b.WriteByte('/')
	for i := range len(n) {
		if c := n[i]; c <= ' ' || c >= 0x7f || c == '#' || isDelimiter(c) {
			fmt.Fprintf(b, "#%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
}

// equal compares two values as a reader sees them; streams are equal only when
// they are the same place of the file.
func equal(a, b Object) bool {
	switch x := a.(type) {
	case *String:
		y, ok := b.(*String)
		return ok && bytes.Equal(x.Value, y.Value)
	case Array:
		y, ok := b.(Array)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case *Dict:
		y, ok := b.(*Dict)
		return ok && len(x.Keys) == len(y.Keys) && equalBut(x, y)
	case *Stream:
		y, ok := b.(*Stream)
		return ok && x.Offset == y.Offset && equal(x.Dict, y.Dict)
	}
	switch b.(type) {
	case *String, Array, *Dict, *Stream:
		return false
	}
	return a == b
}

// equalBut compares two dictionaries without some keys.
func equalBut(a, b *Dict, but ...Name) bool {
	skip := func(k Name) bool {
		for _, s := range but {
			if s == k {
				return true
			}
		}
		return false
	}
	if len(a.Twice) > 0 || len(b.Twice) > 0 {
		return false
	}
	for i, k := range a.Keys {
		if !skip(k) && (b.find(k) < 0 || !equal(a.Vals[i], b.Get(k))) {
			return false
		}
	}
	for _, k := range b.Keys {
		if !skip(k) && a.find(k) < 0 {
			return false
		}
	}
	return true
}
