package ledgertest

import "testing"

func TestMemoryConforms(t *testing.T) {
	Run(t, func(tb testing.TB) Store { return NewMemory(tb) })
}
