package console

import (
	"fmt"
	"strconv"

	"github.com/yinxin-gov/yinxin/internal/text"
	"github.com/yinxin-gov/yinxin/signer"
)

// UseForm is a request as it was filled in.
type UseForm struct {
	Seal, Title, Type, Purpose string
	Consents                   []string // ids of the providers' consents to what the document quotes
	Place                      signer.Placement
	Papers                     []Paper // one, or those of a batch
}

// PaperError says which document of a request is refused.
type PaperError struct {
	Name string
	Err  error
}

func (e *PaperError) Error() string { return fmt.Sprintf("document %.80q: %v", e.Name, e.Err) }

// Unwrap gives the refusal.
func (e *PaperError) Unwrap() error { return e.Err }

// Bounds of a form: a title or purpose in bytes, a coordinate in millimetres.
const (
	maxLine  = 300
	maxPlace = 2000
)

// Choices of a place beside the edges.
const (
	placePage    = "page"
	placePoint   = "point"
	placeKeyword = "keyword"
)

func useForm(form filled) (UseForm, error) {
	f := UseForm{
		Seal: form.Get("seal"), Title: oneLine(form.Get("title")), Type: oneLine(form.Get("type")), Purpose: oneLine(form.Get("purpose")),
		Consents: form.Values["consents"], Papers: form.files["document"],
	}
	var err error
	if f.Place, err = placeForm(form); err != nil {
		return f, err
	}
	if len(f.Papers) == 0 {
		return f, errNoFile
	}
	for _, doc := range f.Papers {
		if len(doc.Bytes) == 0 {
			return f, &PaperError{doc.Name, errNoFile}
		}
	}
	for _, s := range append([]string{f.Title, f.Type, f.Purpose, f.Place.Keyword}, f.Consents...) {
		if len(s) > maxLine || text.Plain(s) != s {
			return f, ErrForm
		}
	}
	if f.Seal == "" || f.Title == "" {
		return f, ErrForm
	}
	return f, nil
}

// placeForm reads where the stamp shall go. A field that the choice does not ask
// for does not count.
func placeForm(form filled) (p signer.Placement, err error) {
	switch place := form.Get("place"); place {
	case "", placePage:
	case placeKeyword:
		if p.Keyword = oneLine(form.Get("keyword")); p.Keyword == "" {
			return p, ErrForm
		}
	case placePoint:
		if p.X, err = millimetres(form.Get("x")); err == nil {
			p.Y, err = millimetres(form.Get("y"))
		}
		if err != nil || p.X == 0 && p.Y == 0 { // the corner itself would mean the default place
			return p, ErrForm
		}
	default:
		p.Ride = signer.Edge(place)
		return p, nil
	}
	if n := form.Get("page"); n != "" {
		if p.Page, err = strconv.Atoi(n); err != nil || p.Page < 0 {
			return p, ErrForm
		}
	}
	return p, nil
}

func millimetres(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= maxPlace) { // NaN is no place
		return 0, ErrForm
	}
	return v, nil
}
