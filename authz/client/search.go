package client

import (
	"context"
	"fmt"
	"iter"
)

// maxPages bounds a search: an answer that never ends is none.
const maxPages = 100_000

// Subjects finds who may do something; of r.Subject the type counts.
func (c *Client) Subjects(ctx context.Context, r Request) iter.Seq2[Entity, error] {
	r.Subject.ID = ""
	return search[Entity](ctx, c, "subject", map[string]any{"subject": r.Subject, "action": r.Action, "resource": r.Resource}, r)
}

// Resources finds what the subject may do something with; of r.Resource the type
// counts.
func (c *Client) Resources(ctx context.Context, r Request) iter.Seq2[Entity, error] {
	r.Resource.ID = ""
	return search[Entity](ctx, c, "resource", map[string]any{"subject": r.Subject, "action": r.Action, "resource": r.Resource}, r)
}

// Actions finds what the subject may do with a resource; r.Action is not sent.
func (c *Client) Actions(ctx context.Context, r Request) iter.Seq2[Action, error] {
	return search[Action](ctx, c, "action", map[string]any{"subject": r.Subject, "resource": r.Resource}, r)
}

// search goes through the pages. What was found is no decision: using it is
// decided again. An error is the last thing that it yields.
func search[T any](ctx context.Context, c *Client, kind string, in map[string]any, r Request) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if r.Context != nil {
			in["context"] = r.Context
		}
		for range maxPages {
			var out struct {
				Results *[]T `json:"results"`
				Page    struct {
					Next string `json:"next_token"`
				} `json:"page"`
			}
			if err := c.ask(ctx, "/access/v1/search/"+kind, r.ID, in, &out); err != nil {
				yield(none, err)
				return
			}
			if out.Results == nil {
				yield(none, fmt.Errorf("%w: the answer has no results", ErrUnavailable))
				return
			}
			for _, one := range *out.Results {
				if !yield(one, nil) {
					return
				}
			}
			if out.Page.Next == "" {
				return
			}
			in["page"] = map[string]any{"token": out.Page.Next}
		}
		yield(none, fmt.Errorf("%w: the search does not end", ErrUnavailable))
	}
}
