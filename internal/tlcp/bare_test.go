package tlcp_test

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
	"github.com/emmansun/gmsm/smx509"
)

// bare is a second client, written from GB/T 38636-2020 chapter 6 on emmansun's
// primitives alone: the judge of what the library puts on the wire, and the way
// to say what no proper client says. spoil changes a message before it is sent.
type bare struct {
	conn  net.Conn
	certs [][]byte
	key   crypto.Signer
	suite uint16
	spoil map[byte]func([]byte) []byte // by type of handshake message

	log                 []byte // of handshake messages
	in, out             half
	pending             []byte // not read yet
	client, server, pms []byte
}

const (
	recCCS, recAlert, recHandshake, recData                                     = 20, 21, 22, 23
	msgClientHello, msgServerHello, msgCertificate, msgServerKeyExchange        = 1, 2, 11, 12
	msgCertificateRequest, msgServerHelloDone, msgCertificateVerify             = 13, 14, 15
	msgClientKeyExchange, msgFinished                                           = 16, 20
	version                                                              uint16 = 0x0101
)

// half is one direction: SM4-CBC with explicit IV, HMAC-SM3 before encryption.
type half struct {
	block cipher.Block
	mac   hash.Hash
	seq   uint64
}

func (h *half) sum(kind byte, data []byte) []byte {
	h.mac.Reset()
	head := binary.BigEndian.AppendUint64(nil, h.seq)
	head = append(head, kind, 1, 1)
	h.mac.Write(binary.BigEndian.AppendUint16(head, uint16(len(data))))
	h.mac.Write(data)
	h.seq++
	return h.mac.Sum(nil)
}

func (b *bare) record(kind byte, data []byte) error {
	if b.out.block != nil {
		data = append(bytes.Clone(data), b.out.sum(kind, data)...)
		pad := 16 - len(data)%16
		data = append(data, bytes.Repeat([]byte{byte(pad - 1)}, pad)...)
		iv := make([]byte, 16)
		_, _ = rand.Read(iv)
		cipher.NewCBCEncrypter(b.out.block, iv).CryptBlocks(data, data)
		data = append(iv, data...)
	}
	_, err := b.conn.Write(append([]byte{kind, 1, 1, byte(len(data) >> 8), byte(len(data))}, data...))
	return err
}

// Read is application data.
func (b *bare) Read(p []byte) (int, error) {
	if len(b.pending) == 0 {
		var err error
		if b.pending, err = b.read(recData); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

func (b *bare) read(want byte) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(b.conn, head[:]); err != nil {
		return nil, err
	}
	data := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(b.conn, data); err != nil {
		return nil, err
	}
	if b.in.block != nil {
		if len(data) < 64 || len(data)%16 != 0 {
			return nil, errors.New("short record")
		}
		iv, rest := data[:16], data[16:]
		cipher.NewCBCDecrypter(b.in.block, iv).CryptBlocks(rest, rest)
		rest = rest[:len(rest)-1-int(rest[len(rest)-1])]
		data = rest[:len(rest)-32]
		if !hmac.Equal(b.in.sum(head[0], data), rest[len(rest)-32:]) {
			return nil, errors.New("MAC")
		}
	}
	if head[0] != want {
		return nil, fmt.Errorf("record %d %x, want %d", head[0], data, want)
	}
	return data, nil
}

func (b *bare) send(kind byte, body []byte) error {
	if f := b.spoil[kind]; f != nil {
		body = f(body)
	}
	m := append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	b.log = append(b.log, m...)
	return b.record(recHandshake, m)
}

func (b *bare) next(want byte) ([]byte, error) {
	for len(b.pending) < 4 || len(b.pending) < 4+int(b.pending[1])<<16+int(b.pending[2])<<8+int(b.pending[3]) {
		data, err := b.read(recHandshake)
		if err != nil {
			return nil, err
		}
		b.pending = append(b.pending, data...)
	}
	n := 4 + int(b.pending[1])<<16 + int(b.pending[2])<<8 + int(b.pending[3])
	m := b.pending[:n]
	b.pending = b.pending[n:]
	if m[0] != want {
		return nil, fmt.Errorf("message %d, want %d", m[0], want)
	}
	b.log = append(b.log, m...)
	return m[4:], nil
}

// prf is P_SM3 (6.3.3), the PRF of TLS 1.2 over SM3.
func prf(n int, secret []byte, label string, seed ...[]byte) []byte {
	mac := func(parts ...[]byte) []byte {
		h := hmac.New(sm3.New, secret)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	all := append([]byte(label), bytes.Join(seed, nil)...)
	var out []byte
	for a := mac(all); len(out) < n; a = mac(a) {
		out = append(out, mac(a, all)...)
	}
	return out[:n]
}

func (b *bare) transcript() []byte { s := sm3.Sum(b.log); return s[:] }

// handshake is 6.4.4 with ECC_SM4_CBC_SM3 and a client certificate.
func (b *bare) handshake() error {
	b.client = make([]byte, 32)
	_, _ = rand.Read(b.client)
	hello := binary.BigEndian.AppendUint16(append(append([]byte{1, 1}, b.client...), 0, 0, 2), b.suite)
	if err := b.send(msgClientHello, append(hello, 1, 0)); err != nil {
		return err
	}
	m, err := b.next(msgServerHello)
	if err != nil {
		return err
	}
	b.server = m[2:34]
	if m, err = b.next(msgCertificate); err != nil {
		return err
	}
	var certs []*smx509.Certificate
	for rest := m[3:]; len(rest) > 3; {
		n := 3 + int(rest[0])<<16 + int(rest[1])<<8 + int(rest[2])
		c, err := smx509.ParseCertificate(rest[3:n])
		if err != nil {
			return err
		}
		certs, rest = append(certs, c), rest[n:]
	}
	if m, err = b.next(msgServerKeyExchange); err != nil {
		return err
	}
	enc := certs[1].Raw
	signed := bytes.Join([][]byte{b.client, b.server, {byte(len(enc) >> 16), byte(len(enc) >> 8), byte(len(enc))}, enc}, nil)
	if !sm2.VerifyASN1WithSM2(sm2Public(certs[0]), nil, signed, m[2:]) {
		return errors.New("signature of the server")
	}
	if _, err = b.next(msgCertificateRequest); err != nil {
		return err
	}
	if _, err = b.next(msgServerHelloDone); err != nil {
		return err
	}
	return b.answer(certs[1])
}

// answer is the client's flight and both Finished.
func (b *bare) answer(enc *smx509.Certificate) error {
	var list []byte
	for _, c := range b.certs {
		list = append(append(list, byte(len(c)>>16), byte(len(c)>>8), byte(len(c))), c...)
	}
	if err := b.send(msgCertificate, append([]byte{byte(len(list) >> 16), byte(len(list) >> 8), byte(len(list))}, list...)); err != nil {
		return err
	}
	b.pms = append([]byte{1, 1}, make([]byte, 46)...)
	_, _ = rand.Read(b.pms[2:])
	ct, err := sm2.EncryptASN1(rand.Reader, sm2Public(enc), b.pms)
	if err != nil {
		return err
	}
	if err := b.send(msgClientKeyExchange, append([]byte{byte(len(ct) >> 8), byte(len(ct))}, ct...)); err != nil {
		return err
	}
	if b.key != nil {
		sig, err := crypto.SignMessage(b.key, rand.Reader, b.transcript(), sm2.DefaultSM2SignerOpts)
		if err != nil {
			return err
		}
		if err := b.send(msgCertificateVerify, append([]byte{byte(len(sig) >> 8), byte(len(sig))}, sig...)); err != nil {
			return err
		}
	}
	master := prf(48, b.pms, "master secret", b.client, b.server)
	k := prf(128, master, "key expansion", b.server, b.client)
	if err := b.record(recCCS, []byte{1}); err != nil {
		return err
	}
	b.out = half{block: must(sm4.NewCipher(k[64:80])), mac: hmac.New(sm3.New, k[:32])}
	if err := b.send(msgFinished, prf(12, master, "client finished", b.transcript())); err != nil {
		return err
	}
	want := prf(12, master, "server finished", b.transcript())
	if _, err := b.read(recCCS); err != nil {
		return err
	}
	b.in = half{block: must(sm4.NewCipher(k[80:96])), mac: hmac.New(sm3.New, k[32:64])}
	got, err := b.next(msgFinished)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the server's Finished")
	}
	return nil
}
