package pdf

import "fmt"

// open refuses what must not be signed again, or not by an update.
func (d *Document) open() error {
	root := d.catalog()
	if d.dict(root.Get("AcroForm")).Get("XFA") != nil {
		return fmt.Errorf("%w: an XFA form shows other content than its pages", ErrUnsupported)
	}
	sigs, err := d.Signatures()
	if err != nil {
		return err
	}
	certification := &Signature{}
	if v := d.dict(d.dict(root.Get("Perms")).Get("DocMDP")); v != nil {
		certification.permits(d, nil, v)
	}
	for _, s := range append(sigs, certification) {
		if s.Permits == 1 {
			return ErrLocked
		}
	}
	return nil
}

// permits reads DocMDP and the lock of the field; the stricter one counts.
func (s *Signature) permits(d *Document, field, v *Dict) {
	limit := func(o Object, otherwise Int) {
		p, ok := d.Resolve(o).(Int)
		if !ok || p < 1 || p > 3 {
			p = otherwise
		}
		if p > 0 && (s.Permits == 0 || int(p) < s.Permits) {
			s.Permits = int(p)
		}
	}
	for i, o := range d.array(v.Get("Reference")) {
		if i == maxDepth {
			break
		}
		ref := d.dict(o)
		if m := d.Resolve(ref.Get("TransformMethod")); m == nil || m == Name("DocMDP") {
			limit(d.dict(ref.Get("TransformParams")).Get("P"), 2) // the default of the standard
		}
	}
	limit(d.dict(field.Get("Lock")).Get("P"), 0)
}
