package pdf

import "fmt"

// Info is one entry of the document information dictionary (ISO 32000-1,
// 14.3.3), which may hold names of one's own.
type Info struct {
	Key   Name
	Value string
}

// Info returns the text of an entry, "" when there is none. An entry that stands
// twice, or is no text, is ErrFormat: readers differ in what they show.
func (d *Document) Info(key Name) (string, error) {
	info := d.dict(d.Trailer.Get("Info"))
	if info == nil {
		return "", nil
	}
	for _, k := range info.Twice {
		if k == key {
			return "", fmt.Errorf("%w: %s stands twice in the document information", ErrFormat, key)
		}
	}
	switch v := d.Resolve(info.Get(key)).(type) {
	case nil:
		return "", nil
	case *String:
		return Text(v.Value), nil
	}
	return "", fmt.Errorf("%w: %s of the document information is no text", ErrFormat, key)
}

// describe adds entries to the document information, in the same update as the
// signature that will cover them. What an earlier signature covers is not
// touched: to a reader of that signature the document would have changed.
func (u *update) describe(add []Info) error {
	if len(add) == 0 {
		return nil
	}
	sigs, err := u.d.Signatures()
	if err != nil {
		return err
	}
	if len(sigs) > 0 {
		return fmt.Errorf("%w: the earlier signature %s covers it", ErrInfo, sigs[0].Field)
	}
	old := u.d.Trailer.Get("Info")
	info := &Dict{}
	if have := u.d.dict(old); have != nil {
		if len(have.Twice) > 0 {
			return fmt.Errorf("%w: document information with a key twice", ErrFormat)
		}
		info = have
	}
	for _, e := range add {
		if e.Key == "" || info.find(e.Key) >= 0 {
			return fmt.Errorf("%w: name %q is taken", ErrInfo, e.Key)
		}
		info = info.with(e.Key, encodeText(e.Value))
	}
	ref, ok := old.(Ref)
	if !ok || u.d.dict(old) == nil {
		ref = u.alloc()
		u.info = ref
	}
	u.put(ref, info)
	return nil
}
