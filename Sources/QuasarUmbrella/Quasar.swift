// The library product: one import for everything a user needs.
@_exported import QuasarAutograd
@_exported import QuasarData
@_exported import QuasarDeploy
@_exported import QuasarHardware
@_exported import QuasarInterchange
@_exported import QuasarNN
@_exported import QuasarPipeline
@_exported import QuasarProcesses
@_exported import QuasarQuant
@_exported import QuasarRTL
@_exported import QuasarReport
@_exported import QuasarSearch
@_exported import QuasarSupernet
@_exported import QuasarTensor
@_exported import QuasarTrain
