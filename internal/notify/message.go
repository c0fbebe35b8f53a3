package notify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/yinxin-gov/yinxin/internal/text"
)

const (
	// facility 13 is "log audit" (RFC 5424 6.2.1).
	facility = 13
	// maxMessage is what every receiver of TLS takes (RFC 5425 4.3.1: 2048 MUST),
	// and of UDP should (RFC 5426 3.2).
	maxMessage = 2048
	maxValue   = 256 // bytes of one parameter
	app        = "yinxin"
	bom        = "\ufeff"
)

// errMessage: the message cannot be written in RFC 5424.
var errMessage = errors.New("notify: not a message of RFC 5424")

// param is one parameter of structured data.
type param struct{ name, value string }

// message is one message of RFC 5424, with one element of structured data.
type message struct {
	severity Severity
	at       time.Time
	host     string // of the house
	id       string // MSGID
	element  string // SD-ID
	params   []param
	text     string // UTF-8
}

// encode writes a message of at most maxMessage octets. The text is cut where it
// does not fit, between two characters; nothing else is.
func (m message) encode() ([]byte, error) {
	if !printable(m.host, 255) || !printable(m.id, 32) || !name(m.element) || !utf8.ValidString(m.text) {
		return nil, fmt.Errorf("%w: host, kind, element or text", errMessage)
	}
	var b strings.Builder
	// Six digits of a second are what the form has (RFC 5424 6.2.3).
	fmt.Fprintf(&b, "<%d>1 %s %s %s - %s [%s", facility*8+int(m.severity), m.at.UTC().Format("2006-01-02T15:04:05.000000Z"), m.host, app, m.id, m.element)
	for _, p := range m.params {
		if !name(p.name) || !utf8.ValidString(p.value) || len(p.value) > maxValue {
			return nil, fmt.Errorf("%w: parameter %q", errMessage, p.name)
		}
		fmt.Fprintf(&b, ` %s="%s"`, p.name, escape.Replace(p.value))
	}
	b.WriteString("] " + bom)
	room := maxMessage - b.Len()
	if room < 0 {
		return nil, fmt.Errorf("%w: %d octets of parameters", errMessage, b.Len())
	}
	said := m.text
	if len(said) > room {
		said = strings.ToValidUTF8(said[:room], "")
	}
	b.WriteString(said)
	return []byte(b.String()), nil
}

// escape is RFC 5424 6.3.3.
var escape = strings.NewReplacer(`"`, `\"`, `\`, `\\`, `]`, `\]`)

// printable is PRINTUSASCII of RFC 5424 6, at least one.
func printable(s string, most int) bool {
	for _, c := range []byte(s) {
		if c < 33 || c > 126 {
			return false
		}
	}
	return s != "" && len(s) <= most
}

// name is SD-NAME.
func name(s string) bool { return printable(s, 32) && !strings.ContainsAny(s, `= ]"`) }

// message is a delivery for syslog. The element is named after the site's
// enterprise number: names without one belong to the IANA (RFC 5424 6.3.2).
func (s *Service) message(d Delivery) message {
	m := message{
		severity: d.Severity, at: s.cfg.Now(), host: s.cfg.Host, id: string(d.Kind), element: "notice@" + strconv.Itoa(s.cfg.Enterprise),
		params: []param{{"id", d.id()}, {"unit", d.Unit}, {"system", d.System}, {"objectKind", d.Object.Kind}, {"object", d.Object.ID}, {"at", d.At.UTC().Format(time.RFC3339)}},
		text:   s.sentence(d.Notice).Both(),
	}
	for i, p := range m.params {
		m.params[i].value = shortened(p.value)
	}
	return m
}

// shortened makes a parameter that fits; ids are shorter than that.
func shortened(s string) string {
	s = text.Plain(s)
	return strings.ToValidUTF8(s[:min(len(s), maxValue)], "")
}
