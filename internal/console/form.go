package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of an upload, in bytes and parts of the form.
const (
	maxUpload = 64 << 20
	maxFrame  = 1 << 20
	maxParts  = 24
	maxField  = 16 << 10

	uploadTime = 2 * time.Minute // for the whole body: a slot is not held by a slow sender
	uploadWait = 30 * time.Second
)

var (
	errNoFile = errors.New("no file in the form")
	errBusy   = errors.New("no slot for an upload")
)

// filled is a form with its files, all of it in memory.
type filled struct {
	url.Values
	name string            // of the first file that was asked for
	data []byte            // of it; empty: there was none
	more map[string][]byte // the others, by field
}

// upload reads a form part by part: the file of a field, and those of others,
// each of at most so many bytes. The form parser of net/http would write a large
// file to a temporary one, in clear.
func upload(w http.ResponseWriter, r *http.Request, field string, most int64, others ...string) (f filled, err error) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return filled{}, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, most*int64(1+len(others))+maxFrame)
	form, err := r.MultipartReader()
	if err != nil {
		return filled{}, errors.Join(errNoFile, err)
	}
	f.Values, f.more = url.Values{}, map[string][]byte{}
	for range maxParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return filled{}, errors.Join(errNoFile, err)
		}
		if part.FormName() == field && f.data == nil {
			if f.data, err = io.ReadAll(http.MaxBytesReader(nil, part, most)); err != nil {
				return filled{}, errors.Join(errNoFile, err)
			}
			f.name = part.FileName()
			continue
		}
		if slices.Contains(others, part.FormName()) && f.more[part.FormName()] == nil {
			if f.more[part.FormName()], err = io.ReadAll(http.MaxBytesReader(nil, part, most)); err != nil {
				return filled{}, errors.Join(errNoFile, err)
			}
			continue
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(http.MaxBytesReader(nil, part, maxField))
		if err != nil {
			return filled{}, errors.Join(ErrForm, err)
		}
		f.Add(part.FormName(), string(value))
	}
	return filled{}, errors.Join(ErrForm, errors.New("too many fields"))
}

// oneLine is what a person typed, as one line without edges: browsers send line
// feeds of text areas as CR LF.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
