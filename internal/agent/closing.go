package agent

import (
	"context"
	"net/http"

	"github.com/yinxin-gov/yinxin/internal/api/wire"
)

// Closing asks the house whether its certification service ends (电子签名法 art. 23).
func (k *Keeper) Closing(ctx context.Context) (out wire.Closing, err error) {
	a := k.now()
	err = call(ctx, a.direct, http.MethodGet, a.home.JoinPath(wire.PathClosing).String(), nil, &out)
	return out, err
}
