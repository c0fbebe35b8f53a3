package console

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/yinxin-gov/yinxin/signer/verify"
)

// Bounds of an upload, in bytes and parts of the form.
const (
	maxUpload = 64 << 20
	maxFrame  = 1 << 20
	maxParts  = 8

	uploadTime = 2 * time.Minute // for the whole body: a slot is not held by a slow sender
	uploadWait = 30 * time.Second
)

func (c *console) verifyForm(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusOK, pageVerify, view{Person: c.person(r)})
}

func (c *console) verifyDocument(w http.ResponseWriter, r *http.Request) {
	v := view{Person: c.person(r)}
	wait := time.NewTimer(uploadWait)
	defer wait.Stop()
	select {
	case c.uploads <- struct{}{}:
		defer func() { <-c.uploads }()
	case <-wait.C:
		c.fail(w, r, pageVerify, "problem.busy", v, http.StatusServiceUnavailable, errors.New("no slot for an upload"))
		return
	}
	name, data, err := upload(w, r)
	if err != nil {
		code := http.StatusBadRequest
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			code = http.StatusRequestEntityTooLarge
		}
		c.fail(w, r, pageVerify, "console.verify.no_file", v, code, err)
		return
	}
	rep, err := c.cfg.Verify(r.Context(), data)
	switch {
	case errors.Is(err, verify.ErrNotDocument):
		c.fail(w, r, pageVerify, "problem.document.unreadable", v, http.StatusUnprocessableEntity, err)
	case errors.Is(err, verify.ErrLimit):
		c.fail(w, r, pageVerify, "problem.document.limit", v, http.StatusUnprocessableEntity, err)
	case errors.Is(err, verify.ErrNoContent):
		c.fail(w, r, pageVerify, "problem.document.detached", v, http.StatusUnprocessableEntity, err)
	case err != nil:
		c.fail(w, r, pageVerify, "problem.internal", v, http.StatusInternalServerError, err)
	default:
		rep.File = name
		v.Report, v.Pages = &rep, c.pictures(r.Context(), data, rep)
		c.render(w, r, http.StatusOK, pageVerify, v)
	}
}

var errNoFile = errors.New("no file in the form")

// upload reads the document of a form part by part. The form parser of net/http
// would write a large one to a temporary file, in clear.
func upload(w http.ResponseWriter, r *http.Request) (name string, data []byte, err error) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return "", nil, err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload+maxFrame)
	form, err := r.MultipartReader()
	if err != nil {
		return "", nil, err
	}
	for range maxParts {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, err
		}
		if part.FormName() != "document" {
			continue
		}
		data, err := io.ReadAll(http.MaxBytesReader(nil, part, maxUpload))
		if err != nil {
			return "", nil, err
		}
		if len(data) == 0 {
			break
		}
		return part.FileName(), data, nil
	}
	return "", nil, errNoFile
}
