package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of an event. They bound what a verifier must read.
const (
	MaxBody    = 64 << 10 // bytes of the canonical body
	maxID      = 128
	maxReasons = 64
	maxDetails = 64
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// Encode validates an event and returns its canonical body: RFC 8785 (JCS) of
// the JSON of Event, limited to strings, arrays and small integers, text in
// NFC, time in UTC with three decimals, empty members left out. The bytes
// stored are the bytes hashed. It refuses with ErrInvalidEvent.
func Encode(e Event) ([]byte, error) {
	if err := normalise(&e); err != nil {
		return nil, err
	}
	w := canon{b: make([]byte, 0, 512)}
	w.b = append(w.b, '{')
	// JCS orders members by their UTF-16 code units; all of ours are ASCII.
	w.member("action", e.Action)
	w.key("actor")
	w.b = append(w.b, '{')
	w.member("certificate", e.Actor.Certificate)
	w.must("id", e.Actor.ID)
	w.must("kind", e.Actor.Kind)
	w.member("role", e.Actor.Role)
	w.member("token", e.Actor.Token)
	w.member("unit", e.Actor.Unit)
	w.b = append(w.b, '}')
	w.member("agreement", e.Agreement)
	w.key("class")
	w.b = strconv.AppendUint(w.b, uint64(e.Class), 10)
	w.member("decision", e.Decision)
	w.details(e.Details)
	w.must("id", e.ID)
	w.member("label_after", e.After)
	w.member("label_before", e.Before)
	w.key("object")
	w.b = append(w.b, '{')
	w.must("id", e.Object.ID)
	w.must("kind", e.Object.Kind)
	w.b = append(w.b, '}')
	w.must("outcome", e.Outcome)
	w.member("payload_sm3", e.Payload)
	w.member("policy_digest", e.Policy)
	w.member("purpose", e.Purpose)
	w.reasons(e.Reasons)
	w.member("request_id", e.Request)
	w.member("target", e.Target)
	w.must("time", e.Time.Format(timeLayout))
	w.must("type", e.Type)
	w.b = append(w.b, '}')
	if len(w.b) > MaxBody {
		return nil, fmt.Errorf("%w: body of %d bytes, at most %d", ErrInvalidEvent, len(w.b), MaxBody)
	}
	return w.b, nil
}

// Decode is the strict inverse of Encode: what does not encode to the very
// same bytes (unknown or duplicate keys, other order, spacing, escapes, Unicode
// form, number form) is refused with ErrInvalidEvent (attack 26).
func Decode(body []byte) (Event, error) {
	var e Event
	if len(body) > MaxBody {
		return Event{}, fmt.Errorf("%w: body of %d bytes, at most %d", ErrInvalidEvent, len(body), MaxBody)
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("%w: %v", ErrInvalidEvent, err)
	}
	again, err := Encode(e)
	if err != nil {
		return Event{}, err
	}
	// The one comparison that stands for every rule of the canonical form.
	if !bytes.Equal(again, body) {
		return Event{}, fmt.Errorf("%w: body is not canonical", ErrInvalidEvent)
	}
	return e, nil
}

// NewPending prepares an event for the outbox: the store writes the result in
// the transaction of the act. rand gives the salt.
func NewPending(e Event, rand io.Reader) (Pending, error) {
	body, err := Encode(e)
	if err != nil {
		return Pending{}, err
	}
	salt := make([]byte, SaltSize)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return Pending{}, fmt.Errorf("ledger: reading a salt: %w", err)
	}
	return Pending{ID: e.ID, Body: body, Salt: salt}, nil
}

// normalise checks the fields and brings text and time into canonical form.
func normalise(e *Event) error {
	bad := func(field, why string) error { return fmt.Errorf("%w: %s %s", ErrInvalidEvent, field, why) }
	if !ValidID(e.ID) {
		return bad("id", "must be 1 to 128 of A-Z a-z 0-9 . _ : -")
	}
	if !validType(e.Type) {
		return bad("type", "must be like room.object.verb_ed")
	}
	if !e.Class.valid() {
		return bad("class", "is unknown")
	}
	if ms := e.Time.UnixMilli(); ms <= 0 || ms > maxTimeMs {
		return bad("time", "is missing or out of range")
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	switch e.Actor.Kind {
	case "person", "system", "service":
	default:
		return bad("actor.kind", "must be person, system or service")
	}
	if e.Outcome != Success && e.Outcome != Failure {
		return bad("outcome", "must be success or failure")
	}
	if e.Decision != "" && e.Decision != "allow" && e.Decision != "deny" {
		return bad("decision", "must be allow or deny")
	}
	if !validDigest(e.Payload) {
		return bad("payload_sm3", "must be 64 lower-case hex digits")
	}
	if !validDigest(e.Policy) {
		return bad("policy_digest", "must be 64 lower-case hex digits")
	}
	for _, f := range []struct {
		name  string
		text  *string
		empty bool
	}{
		{"actor.id", &e.Actor.ID, false}, {"actor.unit", &e.Actor.Unit, true}, {"actor.role", &e.Actor.Role, true},
		{"actor.certificate", &e.Actor.Certificate, true}, {"actor.token", &e.Actor.Token, true}, {"object.kind", &e.Object.Kind, false},
		{"object.id", &e.Object.ID, false}, {"action", &e.Action, true}, {"purpose", &e.Purpose, true},
		{"label_before", &e.Before, true}, {"label_after", &e.After, true}, {"target", &e.Target, true},
		{"agreement", &e.Agreement, true}, {"request_id", &e.Request, true},
	} {
		if *f.text == "" && !f.empty {
			return bad(f.name, "is missing")
		}
		var ok bool
		if *f.text, ok = canonicalText(*f.text); !ok {
			return bad(f.name, "has characters that may not be written")
		}
	}
	if len(e.Reasons) > maxReasons || len(e.Details) > maxDetails {
		return bad("reasons or details", "has too many members")
	}
	e.Reasons = slices.Clone(e.Reasons)
	for i := range e.Reasons {
		var ok bool
		if e.Reasons[i], ok = canonicalText(e.Reasons[i]); !ok || e.Reasons[i] == "" {
			return bad("reasons", "has an empty text or characters that may not be written")
		}
	}
	return normaliseDetails(e)
}

func normaliseDetails(e *Event) error {
	if len(e.Details) == 0 {
		return nil
	}
	m := make(map[string]string, len(e.Details))
	for k, v := range e.Details {
		text, ok := canonicalText(v)
		if !ok || !validWord(k) || len(k) > maxID {
			return fmt.Errorf("%w: details must have snake_case keys and writable texts", ErrInvalidEvent)
		}
		m[k] = text
	}
	e.Details = m
	return nil
}

// ValidID reports whether id may name an entry.
func ValidID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '_' || c == ':' || c == '-') {
			return false
		}
	}
	return true
}

// validType: two or more snake_case words joined by dots.
func validType(t string) bool {
	if len(t) > maxID {
		return false
	}
	words := 0
	for start, i := 0, 0; i <= len(t); i++ {
		if i == len(t) || t[i] == '.' {
			if !validWord(t[start:i]) {
				return false
			}
			start, words = i+1, words+1
		}
	}
	return words >= 2
}

func validWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return s != ""
}

func validDigest(s string) bool {
	if s == "" {
		return true
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return len(s) == hex.EncodedLen(HashSize)
}

// canonicalText returns s in NFC. Control characters are refused, and so are
// those that turn the reading direction: an auditor must read what was written.
func canonicalText(s string) (string, bool) {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return "", false
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return s, true
	}
	if !utf8.ValidString(s) {
		return "", false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 {
			return "", false
		}
	}
	return norm.NFC.String(s), true
}
