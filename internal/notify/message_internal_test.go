package notify

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// head is RFC 5424 6 up to the structured data, as narrow as the text has it.
var head = regexp.MustCompile(`^<([1-9][0-9]{0,2}|0)>1 ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)

// parse reads a message strictly: RFC 5424 6, 6.3, 6.4.
func parse(raw []byte) (m message, err error) {
	if !utf8.Valid(raw) {
		return m, errors.New("not UTF-8")
	}
	s := string(raw)
	f := head.FindStringSubmatch(s)
	if f == nil {
		return m, errors.New("header")
	}
	pri, err := strconv.Atoi(f[1])
	if err != nil || pri/8 != facility || f[4] != app || f[5] != "-" {
		return m, fmt.Errorf("priority %s, app %s", f[1], f[4])
	}
	if m.at, err = time.Parse(time.RFC3339Nano, f[2]); err != nil {
		return m, err
	}
	m.severity, m.host, m.id = Severity(pri%8), f[3], f[6]
	rest, found := strings.CutPrefix(s[len(f[0]):], "[")
	if !found {
		return m, errors.New("no element")
	}
	end := strings.IndexAny(rest, ` ]`)
	if end < 1 {
		return m, errors.New("no SD-ID")
	}
	m.element, rest = rest[:end], rest[end:]
	for strings.HasPrefix(rest, " ") {
		var p param
		if p.name, rest, found = strings.Cut(rest[1:], `="`); !found || !name(p.name) {
			return m, fmt.Errorf("parameter %q", p.name)
		}
		var value strings.Builder
		for closed := false; !closed; {
			r, n := utf8.DecodeRuneInString(rest)
			switch {
			case n == 0 || r == ']':
				return m, errors.New("value without end")
			case r == '"':
				closed = true
			case r == '\\' && len(rest) > 1 && strings.ContainsRune(`"\]`, rune(rest[1])):
				value.WriteByte(rest[1])
				n = 2
			default:
				value.WriteString(rest[:n])
			}
			rest = rest[n:]
		}
		p.value = value.String()
		m.params = append(m.params, p)
	}
	m.text, found = strings.CutPrefix(rest, "] "+bom)
	if !found {
		return m, errors.New("no end of the element, or no BOM")
	}
	return m, nil
}

func equal(a, b message) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }

func FuzzMessage(f *testing.F) {
	f.Add("house.example", "certificate.revoked", "notice@32473", "unit", `a"b\c]d`, "证书已撤销", int64(1), 4)
	f.Add("h", "x", "a@1", "b", "\\", "", int64(0), 2)
	f.Add("h", "x", "a@1", "b", "\\]\"\n \x00", strings.Repeat("界", 2000), int64(1e15), 5)
	f.Fuzz(func(t *testing.T, host, id, element, key, value, said string, at int64, severity int) {
		m := message{
			severity: Severity(severity & 7), at: time.UnixMicro(at % 4e15).UTC(), host: host, id: id, element: element,
			params: []param{{key, value}, {"z", "\\"}}, text: said,
		}
		if m.at.Year() < 0 || m.at.Year() > 9999 {
			t.Skip()
		}
		raw, err := m.encode()
		if err != nil {
			if errors.Is(err, errMessage) {
				return
			}
			t.Fatal(err)
		}
		if len(raw) > maxMessage {
			t.Fatalf("%d octets", len(raw))
		}
		back, err := parse(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if len(back.text) < len(m.text) && len(raw) > maxMessage-utf8.UTFMax && strings.HasPrefix(m.text, back.text) {
			m.text = back.text // cut
		}
		if !equal(back, m) {
			t.Fatalf("%+v\n%+v", m, back)
		}
	})
}

func TestMessage(t *testing.T) {
	m := message{
		severity: Warning, at: time.Date(2026, 11, 22, 9, 30, 0, 123456789, time.FixedZone("", 8*3600)), host: "house.example", id: "certificate.held", element: "notice@32473",
		params: []param{{"unit", `a"b\c]d`}}, text: "证书已挂起",
	}
	raw, err := m.encode()
	want := `<108>1 2026-11-22T01:30:00.123456Z house.example yinxin - certificate.held [notice@32473 unit="a\"b\\c\]d"] ` + "\ufeff证书已挂起"
	if err != nil || string(raw) != want {
		t.Errorf("%q, %v", raw, err)
	}
	for what, change := range map[string]func(*message){
		"a host with a space": func(m *message) { m.host = "a b" }, "no host": func(m *message) { m.host = "" }, "an id of 33": func(m *message) { m.id = strings.Repeat("x", 33) },
		"an element with =": func(m *message) { m.element = "a=b" }, "a name with ]": func(m *message) { m.params = []param{{"a]", ""}} },
		"a value of 257": func(m *message) { m.params = []param{{"a", strings.Repeat("x", 257)}} }, "not UTF-8": func(m *message) { m.text = "\xff" },
		"a value that is not UTF-8": func(m *message) { m.params = []param{{"a", "\xff"}} },
		"parameters that fill it": func(m *message) {
			m.params = slicesOf(param{"a", strings.Repeat("]", 256)}, 5)
		},
	} {
		bad := m
		change(&bad)
		if raw, err := bad.encode(); !errors.Is(err, errMessage) {
			t.Errorf("%s: %q, %v", what, raw, err)
		}
	}
	// Every kind and the longest that a notice can hold fit.
	s := &Service{cfg: Config{Host: strings.Repeat("h", 255), Enterprise: 1<<31 - 1, Now: time.Now}}
	for _, k := range append(Kinds(), ChannelTest) {
		long := strings.Repeat("]", 300)
		m := message{severity: Critical, at: s.cfg.Now(), host: s.cfg.Host, id: string(k), element: "notice@2147483647", text: long}
		for _, n := range []string{"id", "unit"} {
			m.params = append(m.params, param{n, shortened(long)})
		}
		if _, err := m.encode(); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func slicesOf(p param, n int) (out []param) {
	for range n {
		out = append(out, p)
	}
	return out
}
