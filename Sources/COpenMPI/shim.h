// Empty on purpose: MPI is called from C only (CProcesses). Its constants are macros over casts, which Swift does not import.
