package seal

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// reader collects the warnings of one parse, each code once.
type reader struct{ warnings []string }

func (r *reader) warn(code string) {
	for _, w := range r.warnings {
		if w == code {
			return
		}
	}
	r.warnings = append(r.warnings, code)
}

// chinaTime is the zone of times stored without one: the producers write the
// local time of a country with one zone.
var chinaTime = time.FixedZone("CST", 8*3600)

// Forms of times seen in files; those without a zone come last.
var (
	zonedForms = []string{"20060102150405Z0700", "20060102150405.999Z0700", "060102150405Z0700", "0601021504Z0700",
		"2006-01-02T15:04:05.999Z07:00", "2006-01-02T15:04:05.999Z0700"}
	localForms = []string{"2006-01-02 15:04:05.999", "2006-01-02T15:04:05.999", "2006/01/02 15:04:05", "20060102150405",
		"060102150405", "2006-01-02"}
)

// ParseTime reads a time in any form seen in files; one without a zone is China's.
func ParseTime(text string) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) > 40 {
		return time.Time{}, false
	}
	for _, form := range zonedForms {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	for _, form := range localForms {
		if t, err := time.ParseInLocation(form, text, chinaTime); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// time reads a date of the seal. want is the standard's tag for the layout;
// the other ASN.1 time type, or a form other than "…Z", is a warning.
func (r *reader) time(el tlv, want byte, what string) (time.Time, error) {
	if el.id != idGenTime && el.id != idUTCTime {
		return time.Time{}, fmt.Errorf("%w: %s is not a time", ErrFormat, what)
	}
	t, ok := ParseTime(string(el.body))
	if !ok {
		return time.Time{}, fmt.Errorf("%w: %s cannot be read as a time", ErrFormat, what)
	}
	standard := len("20060102150405Z")
	if el.id == idUTCTime {
		standard = len("060102150405Z")
	}
	if el.id != want || len(el.body) != standard || el.body[len(el.body)-1] != 'Z' {
		r.warn(WarnTime)
	}
	return t, nil
}

// text reads a string of any string type.
func (r *reader) text(el tlv, what string) (string, error) {
	if el.id&0xe0 != 0 {
		return "", fmt.Errorf("%w: %s is not a string", ErrFormat, what)
	}
	switch el.id {
	case idInteger, idOID, idBitString, idBoolean, idGenTime, idUTCTime:
		return "", fmt.Errorf("%w: %s is not a string", ErrFormat, what)
	}
	if !utf8.Valid(el.body) {
		r.warn(WarnText)
		return strings.ToValidUTF8(string(el.body), "\uFFFD"), nil
	}
	return string(el.body), nil
}

// bits reads a BIT STRING; an OCTET STRING in its place is seen in old seals.
// A count of unused bits other than 0 is ignored: the vendor that writes it
// means whole bytes.
func (r *reader) bits(el tlv, what string) ([]byte, error) {
	switch {
	case el.id == idOctetString:
		r.warn(WarnNotDER)
		return el.body, nil
	case el.id != idBitString || len(el.body) == 0:
		return nil, fmt.Errorf("%w: %s is not a BIT STRING", ErrFormat, what)
	}
	if el.body[0] != 0 {
		r.warn(WarnUnusedBits)
	}
	return el.body[1:], nil
}

// octets reads an OCTET STRING.
func octets(el tlv, what string) ([]byte, error) {
	if el.id != idOctetString {
		return nil, fmt.Errorf("%w: %s is not an OCTET STRING", ErrFormat, what)
	}
	return el.body, nil
}

// value reads a signature value and brings it to DER SEQUENCE{r,s}.
func (r *reader) value(el tlv, what string) ([]byte, error) {
	b, err := r.bits(el, what)
	if err != nil {
		return nil, err
	}
	if len(b) != 64 {
		return b, nil
	}
	// DER of two 29-byte integers has 64 bytes too: once in 2^48, but cheap to tell.
	if el, err := readOne(b); err == nil && el.id == idSequence {
		if rs, err := el.children(); err == nil && len(rs) == 2 && rs[0].id == idInteger && rs[1].id == idInteger {
			return b, nil
		}
	}
	r.warn(WarnRawSignature)
	return wrap(idSequence, derUint(b[:32]), derUint(b[32:])), nil
}

// timestamp reads [0] EXPLICIT BIT STRING.
func (r *reader) timestamp(el tlv) ([]byte, error) {
	if el.id != idContext0 {
		return nil, fmt.Errorf("%w: timeStamp is not tagged [0]", ErrFormat)
	}
	in, err := readOne(el.body)
	if err != nil {
		return nil, fmt.Errorf("timeStamp: %w", err)
	}
	return r.bits(in, "timeStamp")
}
