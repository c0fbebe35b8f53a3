// Package cite is the form in which a document names the shared resources that
// it quotes: source, provider and the number of the provider's consent
// (注明信息来源和提供单位, 京政发〔2017〕37号 art. 19).
//
// A citation stands inside what a seal covers, as data that every reader of the
// format shows among the properties of the document: in an OFD as DocInfo /
// CustomDatas / CustomData (GB/T 33190-2016, 7.4), one element a citation, named
// yinxin.citation.1 and on; in a PDF as the entry YinxinCitations of the document
// information dictionary (ISO 32000-1, 14.3.3), one citation a line.
//
// It refuses a citation with an empty or unprintable field, and any text that is
// not exactly what Encode writes: a second spelling would be a second meaning.
// It knows nothing of consents themselves; whether one stands is asked elsewhere.
package cite

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emmansun/gmsm/sm3"
)

// ErrMalformed: not a citation, or more of them than a document may have.
var ErrMalformed = errors.New("cite: malformed citation")

// Names under which citations stand in documents.
const (
	OFDPrefix = "yinxin.citation." // CustomData@Name, followed by a number from 1
	PDFKey    = "YinxinCitations"  // of the document information dictionary
)

// Limits of one document.
const (
	Max      = 64
	maxField = 800 // bytes
	maxLine  = 16 << 10
)

// Citation names one resource that a document quotes. The fields stand in the
// order of their names in the document, as RFC 8785 sorts. All but Note are
// required.
type Citation struct {
	Consent      string `json:"consent"`       // number of the provider's consent
	Consumer     string `json:"consumer"`      // unified social credit code of the quoting unit
	Note         string `json:"note"`          // what was quoted, may be empty
	Provider     string `json:"provider"`      // unified social credit code
	ProviderName string `json:"provider_name"` // 提供单位
	Resource     string `json:"resource"`      // id in the catalogue
	Title        string `json:"title"`         // name of the resource: 信息来源
}

// Validate reports ErrMalformed with the field that is missing or not plain.
func (c Citation) Validate() error {
	for _, f := range []struct {
		name, value string
		optional    bool
	}{
		{"resource", c.Resource, false}, {"title", c.Title, false}, {"provider", c.Provider, false}, {"provider_name", c.ProviderName, false},
		{"consumer", c.Consumer, false}, {"consent", c.Consent, false}, {"note", c.Note, true},
	} {
		if !f.optional && strings.TrimSpace(f.value) == "" || !plain(f.value) {
			return fmt.Errorf("%w: %s is missing, too long or not plain text", ErrMalformed, f.name)
		}
	}
	for _, code := range []string{c.Provider, c.Consumer} {
		if len(code) != 18 || strings.Trim(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return fmt.Errorf("%w: %q is no unified social credit code", ErrMalformed, code)
		}
	}
	return nil
}

// plain text has one spelling and cannot steer what shows it: no control or
// formatting characters, which include the marks of writing direction, and no
// line separators.
func plain(s string) bool {
	return len(s) <= maxField && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == utf8.RuneError
		})
}

// Encode writes citations, one text each: a JSON object without white space,
// every field present, names sorted, no HTML escapes.
func Encode(list []Citation) ([]string, error) {
	if len(list) > Max {
		return nil, fmt.Errorf("%w: %d of them", ErrMalformed, len(list))
	}
	out := make([]string, len(list))
	for i, c := range list {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(c); err != nil {
			return nil, fmt.Errorf("cite: %w", err)
		}
		out[i] = strings.TrimSuffix(b.String(), "\n")
		if slices.Contains(out[:i], out[i]) {
			return nil, fmt.Errorf("%w: one citation stands twice", ErrMalformed)
		}
	}
	return out, nil
}

// Decode reads what Encode wrote, and nothing else.
func Decode(texts []string) ([]Citation, error) {
	if len(texts) > Max {
		return nil, fmt.Errorf("%w: %d of them", ErrMalformed, len(texts))
	}
	list := make([]Citation, len(texts))
	for i, s := range texts {
		if len(s) > maxLine {
			return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(s))
		}
		if err := json.Unmarshal([]byte(s), &list[i]); err != nil {
			return nil, fmt.Errorf("%w: no JSON object of a citation", ErrMalformed)
		}
	}
	again, err := Encode(list)
	if err != nil {
		return nil, err
	}
	for i, s := range texts {
		if again[i] != s {
			return nil, fmt.Errorf("%w: citation %d is not in its canonical form", ErrMalformed, i+1)
		}
	}
	return list, nil
}

// FromOFD picks the citations of a document out of its custom data, by name. A
// name that stands twice, or a number that is left out, is ErrMalformed.
func FromOFD(names, values []string) ([]Citation, error) {
	found := map[string]string{}
	for i, n := range names {
		if !strings.HasPrefix(n, OFDPrefix) {
			continue
		}
		if _, twice := found[n]; twice || len(found) == Max {
			return nil, fmt.Errorf("%w: %.40q", ErrMalformed, n)
		}
		found[n] = values[i]
	}
	texts := make([]string, len(found))
	for i := range texts {
		s, ok := found[OFDName(i)]
		if !ok {
			return nil, fmt.Errorf("%w: no %s", ErrMalformed, OFDName(i))
		}
		texts[i] = s
	}
	return Decode(texts)
}

// OFDName is the name of the i-th citation, from 0.
func OFDName(i int) string { return OFDPrefix + strconv.Itoa(i+1) }

// FromPDF reads the entry of a document information dictionary.
func FromPDF(entry string) ([]Citation, error) {
	if entry == "" {
		return nil, nil
	}
	if len(entry) > Max*maxLine || strings.Count(entry, "\n") >= Max {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(entry))
	}
	return Decode(strings.Split(entry, "\n"))
}

// ToPDF writes that entry.
func ToPDF(list []Citation) (string, error) {
	texts, err := Encode(list)
	return strings.Join(texts, "\n"), err
}

// domain keeps a digest of citations from being one of anything else.
const domain = "yinxin/citations/v1\n"

// Digest is SM3, in lower-case hex, over the line "yinxin/citations/v1" and the
// texts of Encode, each ended by a line feed.
func Digest(list []Citation) (string, error) {
	texts, err := Encode(list)
	if err != nil {
		return "", err
	}
	h := sm3.New()
	h.Write([]byte(domain))
	for _, s := range texts {
		h.Write([]byte(s + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
