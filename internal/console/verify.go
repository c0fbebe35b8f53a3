package console

import (
	"errors"
	"net/http"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer/report"
	"github.com/yinxin-gov/yinxin/signer/verify"
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
	release, err := c.limited(r.Context())
	if err != nil {
		c.fail(w, r, pageVerify, "problem.busy", v, http.StatusServiceUnavailable, err)
		return
	}
	defer release()
	form, err := upload(w, r, maxUpload, 1, "document")
	if err == nil && len(form.file("document").Bytes) == 0 {
		err = errNoFile
	}
	if err != nil {
		code := http.StatusBadRequest
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			code = http.StatusRequestEntityTooLarge
		}
		c.fail(w, r, pageVerify, "console.verify.no_file", v, code, err)
		return
	}
	switch err := use(form.file("document").Name, form.file("document").Bytes); {
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
