package sock

// What Linux numbers differently from machine to machine and package syscall does not name.
const sysSendmmsg = 307
