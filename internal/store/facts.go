package store

import (
	"context"
	"slices"

	"github.com/yinxin-gov/yinxin/authz/grading"
	"github.com/yinxin-gov/yinxin/authz/identity"
)

// Facts answers single questions about the registers from memory: each call
// follows the store first, so that whatever was committed before the call is seen
// by it, on every node.
//
// What it returns is shared: nobody changes it.
type Facts struct {
	m *memory
	i *Index
}

// System is Identity.System.
func (f *Facts) System(ctx context.Context, id string) (identity.System, error) {
	return followed(ctx, f, id, f.i.System)
}

// Grading is Grading.Grading.
func (f *Facts) Grading(ctx context.Context, system string) (grading.Record, error) {
	return followed(ctx, f, system, f.i.Grading)
}

// Dossier is Grading.Dossier.
func (f *Facts) Dossier(ctx context.Context, object string) (grading.Dossier, error) {
	return followed(ctx, f, object, func(ctx context.Context, id string) (grading.Dossier, error) {
		return recall(ctx, f.m, factDossier, id, func(ctx context.Context) (grading.Dossier, error) { return f.i.grading.Dossier(ctx, id) })
	})
}

// Clearances is Grading.Clearances.
func (f *Facts) Clearances(ctx context.Context, system string) ([]grading.Clearance, error) {
	all, err := followed(ctx, f, system, func(ctx context.Context, id string) ([]grading.Clearance, error) {
		return recall(ctx, f.m, factClearances, id, func(ctx context.Context) ([]grading.Clearance, error) { return f.i.grading.Clearances(ctx, id) })
	})
	return slices.Clone(all), err
}

func followed[T any](ctx context.Context, f *Facts, id string, answer func(context.Context, string) (T, error)) (T, error) {
	if _, err := f.m.now(ctx); err != nil {
		var none T
		return none, err
	}
	return answer(ctx, id)
}
