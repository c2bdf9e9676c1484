package admission

import (
	"crypto/tls"
	"crypto/x509"
)

// ClientCAs returns the CAs that clients' certificates are verified under. It returns an error while there are none.
type ClientCAs func() (*x509.CertPool, error)

// require lets only clients in that have a certificate. The CAs are asked for in each handshake, so that they may
// change.
func (get ClientCAs) require(config *tls.Config) {
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := get()
		if err != nil {
			return nil, err
		}
		current := config.Clone()
		current.ClientCAs, current.GetConfigForClient = pool, nil
		return current, nil
	}
}
