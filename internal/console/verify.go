package console

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
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
	c.uploaded(w, r, v, func(name string, data []byte) error {
		rep, err := c.cfg.Verify(r.Context(), data)
		if err != nil {
			return err
		}
		rep.File = name
		v.Report, v.Pages = &rep, report.Pictures(r.Context(), data, rep, c.cfg.Words, text.Zh, c.cfg.Painter)
		c.render(w, r, http.StatusOK, pageVerify, v)
		return nil
	})
}

// verifyPage answers with the printable report of an uploaded document, under
// a policy of its own: the page carries its style, and nothing is kept here.
func (c *console) verifyPage(w http.ResponseWriter, r *http.Request) {
	v, lang := view{Person: c.person(r)}, text.Zh
	if r.URL.Query().Get("lang") == string(text.En) {
		lang = text.En
	}
	c.uploaded(w, r, v, func(name string, data []byte) error {
		rep, judged, err := c.cfg.Report(r.Context(), name, data, v.Person != nil)
		if err != nil {
			return err
		}
		page, err := c.printer.Page(rep, lang, report.Pictures(r.Context(), data, judged, c.cfg.Words, lang, c.cfg.Painter))
		if err != nil {
			return err
		}
		w.Header().Set("Content-Security-Policy", c.printer.Policy()+"; frame-ancestors 'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if _, err := w.Write(page); err != nil {
			c.cfg.Log.DebugContext(r.Context(), "report not delivered", "error", err)
		}
		return nil
	})
}

// uploaded gives the document of a form to use, a few at a time; what goes wrong
// is told on the page of the form.
func (c *console) uploaded(w http.ResponseWriter, r *http.Request, v view, use func(name string, data []byte) error) {
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
	switch err := use(name, data); {
	case errors.Is(err, verify.ErrNotDocument):
		c.fail(w, r, pageVerify, "problem.document.unreadable", v, http.StatusUnprocessableEntity, err)
	case errors.Is(err, verify.ErrLimit):
		c.fail(w, r, pageVerify, "problem.document.limit", v, http.StatusUnprocessableEntity, err)
	case errors.Is(err, verify.ErrNoContent):
		c.fail(w, r, pageVerify, "problem.document.detached", v, http.StatusUnprocessableEntity, err)
	case err != nil:
		c.fail(w, r, pageVerify, "problem.internal", v, http.StatusInternalServerError, err)
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
