package authzen

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds nesting; the standard's own shapes need four.
const maxDepth = 16

// object is a JSON object by exact member names: encoding/json would also take
// "Subject" for "subject".
type object map[string]json.RawMessage

// readBody takes exactly one I-JSON object (RFC 7493): UTF-8, unique names, no
// trailing data.
func readBody(w http.ResponseWriter, r *http.Request) (object, *failure) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, &failure{http.StatusBadRequest, "Content-Type must be application/json, in UTF-8"}
	}
	raw, err := unpacked(r.Header.Values("Content-Encoding"), http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errEncoding):
		return nil, &failure{http.StatusUnsupportedMediaType, "Content-Encoding must be gzip, or none"}
	case errors.As(err, &large), errors.Is(err, errUnpacked):
		return nil, &failure{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	case err != nil:
		return nil, &failure{http.StatusBadRequest, "the body could not be read"}
	case len(raw) == 0:
		return nil, &failure{http.StatusBadRequest, "the body is empty"}
	}
	body, err := parse(raw)
	if err != nil {
		return nil, &failure{http.StatusBadRequest, err.Error()}
	}
	return body, nil
}

var (
	errEncoding = errors.New("authzen: content encoding")
	errUnpacked = errors.New("authzen: too large unpacked")
)

// unpacked reads a body as it is or, as clients of OPA send it, in gzip. The bound
// counts before and after.
func unpacked(encoding []string, body io.Reader) ([]byte, error) {
	switch strings.ToLower(strings.Join(encoding, ",")) {
	case "", "identity":
		return io.ReadAll(body)
	case "gzip", "x-gzip":
	default:
		return nil, errEncoding
	}
	z, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if len(raw) > maxBody {
		return nil, errUnpacked
	}
	return raw, err
}

func parse(raw []byte) (object, error) {
	if !utf8.Valid(raw) || !paired(raw) {
		return nil, errors.New("the body is not UTF-8, or has half a character")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := scan(dec, 0); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the JSON object")
	}
	var body object
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return nil, errors.New("the body is not a JSON object")
	}
	return body, nil
}

// scan walks one value: every name once in its object, no deeper than maxDepth.
func scan(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errors.New("the JSON is nested too deep")
	}
	tok, err := dec.Token()
	if err != nil {
		return errors.New("the body is not valid JSON")
	}
	if n, is := tok.(json.Number); is {
		if _, err := n.Float64(); err != nil {
			return errors.New("a number is out of the range of I-JSON")
		}
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	names := map[string]bool{}
	for dec.More() {
		if delim == '{' {
			name, err := dec.Token()
			if err != nil {
				return errors.New("the body is not valid JSON")
			}
			key, _ := name.(string)
			if names[key] {
				return fmt.Errorf("member %q stands twice", key)
			}
			names[key] = true
		}
		if err := scan(dec, depth+1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("the body is not valid JSON")
	}
	return nil
}

// paired: no escape stands for half a character (RFC 7493 2.1), which
// encoding/json would silently replace by another one. An escape can stand in
// strings only.
func paired(raw []byte) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		switch first := unit(raw, i+1); {
		case first >= 0xdc00 && first < 0xe000:
			return false
		case first >= 0xd800 && first < 0xdc00:
			second := -1
			if i+6 < len(raw) && raw[i+5] == '\\' && raw[i+6] == 'u' {
				second = unit(raw, i+7)
			}
			if second < 0xdc00 || second >= 0xe000 {
				return false
			}
			i += 6
		}
	}
	return true
}

// unit is the number of an escape's four digits; -1 when they are not there.
func unit(raw []byte, at int) int {
	if at+4 > len(raw) {
		return -1
	}
	n, err := strconv.ParseUint(string(raw[at:at+4]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// has reports a member that is there and not null.
func (o object) has(name string) bool {
	raw, ok := o[name]
	return ok && !bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

// object is a member that must be an object; nil when it is absent.
func (o object) object(name string) (object, error) {
	if !o.has(name) {
		return nil, nil
	}
	var out object
	if err := json.Unmarshal(o[name], &out); err != nil {
		return nil, fmt.Errorf("%s must be an object", name)
	}
	return out, nil
}

func (o object) need(in, name string) (string, error) {
	s, err := o.text(in, name)
	if err == nil && s == "" {
		err = fmt.Errorf("%s.%s is required", in, name)
	}
	return s, err
}

func (o object) text(in, name string) (string, error) {
	var s string
	if o.has(name) && json.Unmarshal(o[name], &s) != nil {
		return "", fmt.Errorf("%s.%s must be a string", in, name)
	}
	return s, written(in, name, s)
}

func (o object) texts(in, name string) ([]string, error) {
	var s []string
	if o.has(name) && json.Unmarshal(o[name], &s) != nil {
		return nil, fmt.Errorf("%s.%s must be an array of strings", in, name)
	}
	if slices.Contains(s, "") { // also a null in the array
		return nil, fmt.Errorf("%s.%s has an empty member", in, name)
	}
	return s, written(in, name, s...)
}

// written refuses what no register holds and no database keeps: a NUL in a
// question would else be a failure of ours.
func written(in, name string, texts ...string) error {
	for _, s := range texts {
		if strings.ContainsFunc(s, unicode.IsControl) {
			return fmt.Errorf("%s.%s has a control character", in, name)
		}
	}
	return nil
}

// small is an integer of the scales, 0 to 255: "3", 3.5 and 300 are refused.
func (o object) small(in, name string) (uint8, error) {
	if !o.has(name) {
		return 0, fmt.Errorf("%s.%s is required", in, name)
	}
	var n uint8
	if json.Unmarshal(o[name], &n) != nil {
		return 0, fmt.Errorf("%s.%s must be a small integer", in, name)
	}
	return n, nil
}
