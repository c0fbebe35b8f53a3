package app

import (
	"github.com/yinxin-gov/yinxin/ca/history"
)

// openHistory builds what tells of certificates.
func (h *House) openHistory() (err error) {
	h.History, err = history.New(history.Config{
		Trails: h.rooms.CA, Rooms: h.rooms.CA, Recoveries: h.rooms.KMC, Ledger: h.store.Ledger(), Ends: h.rooms.CA, Counts: h.rooms.CA, Now: h.cfg.Now,
	})
	return err
}
