package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/signer/archive"
)

// Archiver makes the archive package of a document that a seal of this house made
// (归档包). It records the act, and decides whether the caller's unit may ask.
type Archiver interface {
	ArchivePackage(ctx context.Context, actor ledger.Actor, name string, document []byte, m archive.Metadata) ([]byte, error)
}

type archiveInput struct {
	Body struct {
		Name     string           `json:"name" minLength:"1" maxLength:"200" doc:"of the file, as it will stand in the package"`
		Document []byte           `json:"document" doc:"the sealed document, base64"`
		Metadata archive.Metadata `json:"metadata" doc:"DA/T 85-2019"`
	}
}

// archive answers with the package itself: a zip that verifies offline.
func (h *handlers) archive(ctx context.Context, in *archiveInput) (*huma.StreamResponse, error) {
	actor, err := caller(ctx)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	made, err := h.cfg.Archive.ArchivePackage(ctx, actor, in.Body.Name, in.Body.Document, in.Body.Metadata)
	if err != nil {
		return nil, h.problem(ctx, err)
	}
	return h.stream(ctx, "application/zip", io.NopCloser(bytes.NewReader(made))), nil
}

// stream sends what may be large, to readers that may be slow. It closes rc.
func (h *handlers) stream(ctx context.Context, mediaType string, rc io.ReadCloser) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer rc.Close()
		_, w := humachi.Unwrap(hctx)
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			h.cfg.Log.WarnContext(ctx, "no deadline for a large answer", "request_id", requestID(ctx), "error", err)
		}
		hctx.SetHeader("Content-Type", mediaType)
		if _, err := io.Copy(hctx.BodyWriter(), rc); err != nil {
			h.cfg.Log.WarnContext(ctx, "a large answer not delivered whole", "request_id", requestID(ctx), "error", err)
			// The status is out: only a broken connection tells the client.
			panic(http.ErrAbortHandler)
		}
	}}
}
