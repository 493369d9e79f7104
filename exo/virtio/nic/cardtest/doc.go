// Package cardtest holds the tests of the network card and the device that libos/net/card makes of it, on a simulated machine, which only packages below exo may
// have.
package cardtest
