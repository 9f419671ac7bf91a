// The library product: one import for everything a user needs.
@_exported import QuasarArithmetic
@_exported import QuasarAutograd
@_exported import QuasarData
@_exported import QuasarDatapath
@_exported import QuasarExchange
@_exported import QuasarHardware
@_exported import QuasarInterchange
@_exported import QuasarNetwork
@_exported import QuasarPipeline
@_exported import QuasarProcesses
@_exported import QuasarRTL
@_exported import QuasarReport
@_exported import QuasarRuntime
@_exported import QuasarSearch
@_exported import QuasarSupernet
@_exported import QuasarTensor
@_exported import QuasarTrain
