package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/internal/uscc"
)

// Retention is how long a record is kept (保管期限).
type Retention string

// Retentions.
const (
	Permanent Retention = "permanent"
	Years30   Retention = "30"
	Years10   Retention = "10"
)

// NotSecret is the only classification (密级) that is archived here.
const NotSecret = "非涉密"

// Party is a unit by name and unified social credit code.
type Party struct {
	Name string `json:"name" yaml:"name"`
	USCC string `json:"uscc" yaml:"uscc"`
}

// Metadata describe a document (DA/T 85-2019; 电子签名法 art. 6 (3): sender,
// recipient, times of sending and receipt). Our list of fields is a proposal.
type Metadata struct {
	DocNo      string    `json:"doc_no" yaml:"doc_no"`       // 文号
	Title      string    `json:"title" yaml:"title"`         // 题名
	Creator    string    `json:"creator" yaml:"creator"`     // 责任者
	Date       string    `json:"date" yaml:"date"`           // 日期, 2006-01-02
	Secrecy    string    `json:"secrecy" yaml:"secrecy"`     // 密级: 非涉密
	Retention  Retention `json:"retention" yaml:"retention"` // 保管期限
	Unit       Party     `json:"unit" yaml:"unit"`           // that archives
	Sender     Party     `json:"sender" yaml:"sender"`
	Recipient  Party     `json:"recipient" yaml:"recipient"`
	SentAt     time.Time `json:"sent_at" yaml:"sent_at"`
	ReceivedAt time.Time `json:"received_at" yaml:"received_at"`
}

// FieldError says which field of metadata is not acceptable. It is an ErrMetadata.
type FieldError struct{ Field, Why string }

func (e *FieldError) Error() string { return fmt.Sprintf("%v: %s: %s", ErrMetadata, e.Field, e.Why) }

// Unwrap makes it an ErrMetadata.
func (e *FieldError) Unwrap() error { return ErrMetadata }

const maxText = 500

// secretMark is how a state secret is marked on paper (保守国家秘密法实施条例):
// the level, a star, the period.
var secretMark = regexp.MustCompile(`(绝密|机密|秘密)\s*[★☆]`)

// Validate says which field is wrong. ErrSecret, ErrMetadata.
func (m *Metadata) Validate() error {
	bad := func(field, why string) error { return &FieldError{field, why} }
	texts := []struct{ field, value string }{
		{"doc_no", m.DocNo}, {"title", m.Title}, {"creator", m.Creator}, {"secrecy", m.Secrecy},
		{"unit.name", m.Unit.Name}, {"sender.name", m.Sender.Name}, {"recipient.name", m.Recipient.Name},
	}
	for _, t := range texts {
		if secretMark.MatchString(t.value) {
			return fmt.Errorf("%w: %s", ErrSecret, t.field)
		}
	}
	switch m.Secrecy {
	case NotSecret:
	case "绝密", "机密", "秘密":
		return fmt.Errorf("%w: secrecy", ErrSecret)
	default:
		return bad("secrecy", "must be "+NotSecret)
	}
	for _, t := range texts {
		if strings.TrimSpace(t.value) == "" {
			return bad(t.field, "is missing")
		}
		if !utf8.ValidString(t.value) || utf8.RuneCountInString(t.value) > maxText || strings.ContainsFunc(t.value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return bad(t.field, "is too long or not printable")
		}
	}
	for _, c := range []struct{ field, code string }{{"unit.uscc", m.Unit.USCC}, {"sender.uscc", m.Sender.USCC}, {"recipient.uscc", m.Recipient.USCC}} {
		if !uscc.Valid(c.code) {
			return bad(c.field, "is no unified social credit code")
		}
	}
	date, err := time.Parse(time.DateOnly, m.Date)
	if err != nil {
		return bad("date", "must be a day such as 2026-03-01")
	}
	switch m.Retention {
	case Permanent, Years30, Years10:
	default:
		return bad("retention", "must be permanent, 30 or 10")
	}
	for field, at := range map[string]time.Time{"sent_at": m.SentAt, "received_at": m.ReceivedAt} {
		// A day of slack: the date of a document is in local time.
		if at.Before(date.AddDate(0, 0, -1)) || at.Year() > 9999 {
			return bad(field, "is missing or before the date of the document")
		}
	}
	if m.ReceivedAt.Before(m.SentAt) {
		return bad("received_at", "is before sent_at")
	}
	return nil
}

// marshal writes valid metadata, times in UTC by the second.
func (m Metadata) marshal() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	m.SentAt, m.ReceivedAt = m.SentAt.UTC().Truncate(time.Second), m.ReceivedAt.UTC().Truncate(time.Second)
	return marshal(m)
}

func parseMetadata(b []byte) (Metadata, error) {
	var m Metadata
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil || dec.More() {
		return m, fmt.Errorf("%w: not the fields of this version", ErrMetadata)
	}
	return m, m.Validate()
}
