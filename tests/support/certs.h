/** @file Certificates that the build has made for tests (make_certs.py). */
#ifndef WEIR_CERTS_H
#define WEIR_CERTS_H

/** CERT("ca") is the path of ca.pem, KEY("server") that of server.key. */
#define CERT(name) WEIR_TEST_CERTS name ".pem"
#define KEY(name)  WEIR_TEST_CERTS name ".key"

#endif
