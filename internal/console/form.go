package console

import (
	"errors"
	"io"
	"net/http"
	"net/url"
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
	files map[string][]Paper // by field; one left empty has none
}

// file is the first file of a field, the zero Paper when there was none.
func (f filled) file(field string) Paper {
	if all := f.files[field]; len(all) > 0 {
		return all[0]
	}
	return Paper{}
}

// upload reads a form part by part: of each of these fields up to count files,
// most bytes of them together. The form parser of net/http would write a large
// file to a temporary one, in clear.
func upload(w http.ResponseWriter, r *http.Request, most int64, count int, fields ...string) (f filled, err error) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return filled{}, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, most*int64(len(fields))+maxFrame)
	form, err := r.MultipartReader()
	if err != nil {
		return filled{}, errors.Join(errNoFile, err)
	}
	f = filled{url.Values{}, map[string][]Paper{}}
	left := map[string]int64{}
	for _, field := range fields {
		left[field] = most
	}
	for others := 0; others <= maxParts; {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return filled{}, errors.Join(errNoFile, err)
		}
		field := part.FormName()
		if size, wanted := left[field]; wanted && len(f.files[field]) < count {
			data, err := io.ReadAll(http.MaxBytesReader(nil, part, size))
			if err != nil {
				return filled{}, errors.Join(errNoFile, err)
			}
			left[field] -= int64(len(data))
			if part.FileName() != "" || len(data) > 0 {
				f.files[field] = append(f.files[field], Paper{part.FileName(), data})
				continue
			}
		}
		others++
		if part.FileName() != "" {
			if _, wanted := left[field]; wanted && count > 1 { // none of them is left out in silence
				return filled{}, errors.Join(ErrForm, errors.New("too many files"))
			}
			continue
		}
		value, err := io.ReadAll(http.MaxBytesReader(nil, part, maxField))
		if err != nil {
			return filled{}, errors.Join(ErrForm, err)
		}
		f.Add(field, string(value))
	}
	return filled{}, errors.Join(ErrForm, errors.New("too many fields"))
}

// oneLine is what a person typed, as one line without edges: browsers send line
// feeds of text areas as CR LF.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// maxDeskForm bounds a form without a file.
const maxDeskForm = 64 << 10

// fields reads a form without a file: the body only, never the address.
func fields(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxDeskForm)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return errors.Join(ErrForm, err)
	}
	return nil
}

// answer reads an answer to be signed, of which a button says which, and gives it.
func answer(w http.ResponseWriter, r *http.Request, give func(Answer) error) error {
	if err := fields(w, r); err != nil {
		return err
	}
	f := r.PostForm
	a := Answer{Digest: f.Get("digest"), PIN: f.Get("pin"), Yes: f.Get("answer") == "yes", Reason: oneLine(f.Get("reason"))}
	if a.PIN == "" || f.Get("answer") != "yes" && f.Get("answer") != "no" {
		return ErrForm
	}
	return give(a)
}

// day reads a date of a form, in the zone of the walls; zero when it is empty.
func day(s string) (time.Time, error) { return moments("2006-01-02", s) }

func moments(form, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(form, s, time.FixedZone("UTC+8", 8*3600))
	if err != nil {
		return time.Time{}, errors.Join(ErrForm, err)
	}
	return t, nil
}
