// The library product for programs that serve packed networks: one import to read a `.quasar` file and run images.
@_exported import QuasarArithmetic
@_exported import QuasarData
@_exported import QuasarNetwork
@_exported import QuasarTensor
