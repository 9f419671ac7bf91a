// The library product of a program that serves packed networks: one import to read a `.quasar` file and run images.
@_exported import QuasarArithmetic
@_exported import QuasarData
@_exported import QuasarNetwork
@_exported import QuasarTensor
