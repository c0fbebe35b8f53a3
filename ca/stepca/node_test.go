//go:build unix

package stepca_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"github.com/google/uuid"

	"github.com/yinxin-gov/yinxin/authz/ledger"
	"github.com/yinxin-gov/yinxin/ca"
	"github.com/yinxin-gov/yinxin/ca/catest"
	"github.com/yinxin-gov/yinxin/ca/ra"
	"github.com/yinxin-gov/yinxin/ca/status"
	"github.com/yinxin-gov/yinxin/ca/stepca"
	"github.com/yinxin-gov/yinxin/internal/store"
	"github.com/yinxin-gov/yinxin/internal/store/pgtest"
)

// envNode makes this test program a node of a house: it holds the work to do.
const envNode = "YINXIN_STEPCA_NODE"

// pg is the PostgreSQL server of this package's tests, started when the first of
// them asks.
var pg = sync.OnceValue(pgtest.Start)

func TestMain(m *testing.M) {
	if work := os.Getenv(envNode); work != "" {
		if err := runNode(work); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(envClients) != "" {
		if err := runClients(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if pgStarted {
		pg().Stop()
	}
	os.Exit(code)
}

var pgStarted bool

// database is the address of a fresh, migrated database.
func database(t testing.TB) string {
	t.Helper()
	pgStarted = true
	url := pg().URL(t)
	if _, err := store.Migrate(t.Context(), store.Config{URL: url}); err != nil {
		t.Fatal(err)
	}
	return url
}

func openStore(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// cluster is what the nodes of a house share: a database, a key and a request.
type cluster struct {
	dir, url string
	store    *store.Store
	rooms    *store.Rooms
	issuing  *x509.Certificate
	issuer   string
}

const (
	fileRoot    = "root.pem"
	fileIssuing = "issuing.pem"
	fileKey     = "issuing.key"
	fileRequest = "request"
)

func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir(), url: database(t)}
	c.store = openStore(t, c.url)
	c.rooms = c.store.Rooms(nil)
	root, issuing, signer := authorities(t, c.rooms.CA)
	key, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := smx509.ParseCertificate(issuing.Raw)
	if err != nil {
		t.Fatal(err)
	}
	c.issuing, c.issuer = issuing, ca.IssuerID(parsed)
	r := approvedRequest(t, c.rooms.CA)
	for name, data := range map[string][]byte{
		fileRoot: pemOf("CERTIFICATE", root.Raw), fileIssuing: pemOf("CERTIFICATE", issuing.Raw), fileKey: pemOf("PRIVATE KEY", key), fileRequest: []byte(r.ID),
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// approvedRequest files one approved request.
func approvedRequest(t testing.TB, reg ra.Requests) ca.Request {
	t.Helper()
	r := ca.Request{
		ID: uuid.NewString(), Agency: uscc, System: system, CommonName: system, Organization: "样例区民政局",
		Hosts: []string{host}, SubmittedBy: "p-admin", State: ca.RequestSubmitted, CreatedAt: time.Now(),
	}
	ev := ledger.Event{
		ID: uuid.NewString(), Type: "ca.request.submitted", Class: ledger.ClassCertificate, Time: time.Now().UTC().Truncate(time.Millisecond),
		Actor: ledger.Actor{Kind: "person", ID: "p-admin"}, Object: ledger.Object{Kind: "certificate_request", ID: r.ID}, Outcome: ledger.Success,
	}
	if _, err := reg.AddRequests(context.Background(), []ca.Request{r}, ev); err != nil {
		t.Fatal(err)
	}
	return catest.Approve(t, reg, r)
}

// slowKey takes its time, as a device does: a killed node dies in the middle.
type slowKey struct {
	crypto.Signer
	pause time.Duration
}

func (k slowKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	time.Sleep(k.pause / 2)
	defer time.Sleep(k.pause / 2)
	return k.Signer.Sign(random, digest, opts)
}

// node is one process of the house.
type node struct {
	authority *stepca.Authority
	status    *status.Service
	rooms     *store.Rooms
	request   ca.Request
	issuer    string
	url       string
	csr       string
	out       sync.Mutex
}

func readPEM(dir, name string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(raw)
	if b == nil {
		return nil, errors.New(name + " is not PEM")
	}
	return b.Bytes, nil
}

func openNode(dir, url string, pause time.Duration) (*node, error) {
	s, err := store.Open(context.Background(), store.Config{URL: url})
	if err != nil {
		return nil, err
	}
	var certs [2]*x509.Certificate
	for i, name := range []string{fileRoot, fileIssuing} {
		der, err := readPEM(dir, name)
		if err != nil {
			return nil, err
		}
		if certs[i], err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	der, err := readPEM(dir, fileKey)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	id, err := os.ReadFile(filepath.Join(dir, fileRequest))
	if err != nil {
		return nil, err
	}
	n := &node{rooms: s.Rooms(nil), request: ca.Request{ID: string(id)}}
	people := &people{hosts: map[string][]string{system: {host}}}
	signer := slowKey{key.(*ecdsa.PrivateKey), pause}
	n.authority, err = stepca.New(context.Background(), stepca.Config{
		Registry: n.rooms.CA, Root: certs[0], Issuing: certs[1], Signer: signer, Address: "localhost:443", Agency: uscc,
		Hosts: people, Gate: people, Recorder: people, Site: site,
	})
	if err != nil {
		return nil, err
	}
	issuing, err := smx509.ParseCertificate(certs[1].Raw)
	if err != nil {
		return nil, err
	}
	n.issuer = ca.IssuerID(issuing)
	n.status, err = status.New(status.Config{
		Authorities: []status.Authority{{Certificate: issuing, Signer: key.(*ecdsa.PrivateKey)}}, Registry: n.rooms.CA, Lists: n.rooms.CA, Published: n.rooms.CA,
		Site: site, Actor: ledger.Actor{Kind: "service", ID: "ca"}, Now: time.Now, Rand: rand.Reader, NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
	})
	return n, err
}

func (n *node) say(format string, args ...any) {
	n.out.Lock()
	defer n.out.Unlock()
	fmt.Printf(format+"\n", args...)
}

// issue walks token → CSR → certificate over HTTP and says its serial: from then
// on somebody has it.
func (n *node) issue(client *http.Client, token string) {
	serial, err := n.sign(client, token)
	if err != nil {
		n.say("error %v", err)
		return
	}
	n.say("serial %s", serial)
}

func (n *node) sign(client *http.Client, token string) (string, error) {
	body, err := json.Marshal(map[string]string{"csr": n.csr, "ott": token})
	if err != nil {
		return "", err
	}
	res, err := client.Post(n.url+"/1.0/sign", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || len(a.Chain) != 2 {
		return "", fmt.Errorf("%d %s: %w", res.StatusCode, a.Message, err)
	}
	b, _ := pem.Decode([]byte(a.Chain[0]))
	crt, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		return "", err
	}
	return ca.FormatSerial(crt.SerialNumber), nil
}

// runNode is a process of its own: "together" does a share of the work of two
// nodes once it is told to go, "forever" issues until it is killed.
func runNode(work string) error {
	kind, rest, _ := strings.Cut(work, " ")
	dir, url, _ := strings.Cut(rest, " ")
	pause := 30 * time.Millisecond
	if kind == "together" {
		pause = 0
	}
	n, err := openNode(dir, url, pause)
	if err != nil {
		return err
	}
	web := httptest.NewServer(n.authority.Routes())
	n.url = web.URL
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: share}}
	if n.csr, err = nodeCSR(); err != nil {
		return err
	}
	if kind == "forever" {
		for range 8 {
			go func() {
				for {
					token, err := n.authority.MintToken(context.Background(), n.request, uuid.NewString())
					if err != nil {
						n.say("error %v", err)
						return
					}
					n.issue(client, token)
				}
			}()
		}
		select {}
	}
	return n.together(client)
}

// reserveOnce is one certificate on a token that every node tries.
func (n *node) reserveOnce(token string) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	c := ca.Certificate{Issuer: n.issuer, Serial: strings.ReplaceAll(uuid.NewString(), "-", ""), Kind: ca.KindECDSA, NotBefore: now, NotAfter: now.Add(time.Hour), CreatedAt: now}
	ev := ledger.Event{
		ID: uuid.NewString(), Type: "test.token.used", Class: ledger.ClassCertificate, Time: now,
		Actor: ledger.Actor{Kind: "service", ID: "test"}, Object: ledger.Object{Kind: "certificate", ID: c.Serial}, Outcome: ledger.Success,
	}
	_, err := n.rooms.CA.ReserveOnce(context.Background(), ca.OneTime{ID: token, Expires: now.Add(time.Hour)}, []ca.Certificate{c}, ev)
	return err
}

// share is how many certificates each of two nodes signs at once.
const share = 128

func (n *node) together(client *http.Client) error {
	var tokens []string
	for range share {
		token, err := n.authority.MintToken(context.Background(), n.request, uuid.NewString())
		if err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	if err := n.status.Publish(context.Background(), n.issuer, false); err != nil {
		return err
	}
	n.say("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, token := range tokens {
		wg.Go(func() { n.issue(client, token) })
	}
	for round := range 10 {
		wg.Go(func() {
			if err := n.status.Publish(context.Background(), n.issuer, round%2 == 1); err != nil {
				n.say("error %v", err)
			}
		})
	}
	for id := range 50 {
		wg.Go(func() {
			switch err := n.reserveOnce(fmt.Sprint("shared-", id)); {
			case err == nil:
				n.say("used %d", id)
			case !errors.Is(err, ca.ErrToken):
				n.say("error %v", err)
			}
		})
	}
	wg.Wait()
	return nil
}
