// Exchanges of floats between the processes that mpirun started. Without the package trait MPI every function reports
// QK_PROCESSES_ABSENT.
//
// All calls of a process come from one thread. `message` takes up to QK_PROCESSES_MESSAGE bytes of the library's
// reason.
#ifndef QUASAR_PROCESSES_H
#define QUASAR_PROCESSES_H

#include <stdint.h>

typedef enum {
  QK_PROCESSES_OK = 0,
  QK_PROCESSES_ABSENT = 1,  // built without MPI
  QK_PROCESSES_FAILED = 2,  // the library's reason is in `message`
} qk_processes_status;

enum { QK_PROCESSES_MESSAGE = 512 };

// One exchange in progress; room for two request handles of any MPI.
typedef struct {
  uintptr_t handles[2];
} qk_exchange;

// Joins the processes that were started together. Writes this process's number, 0…size − 1, and the number of
// processes.
qk_processes_status qk_processes_start(int32_t *rank, int32_t *size, char *message);

// Starts to send `count` floats to `partner` and to receive as many from it. The caller must not touch the two buffers
// until the exchange is done. Exchanges of a pair with the same tag (0…32767) meet in the order in which they were
// started.
qk_processes_status qk_exchange_start(
    const float *send, float *receive, int32_t count, int32_t partner, int32_t tag, qk_exchange *exchange,
    char *message);

// done ← 1 when both directions have ended. Advances all exchanges of the process.
qk_processes_status qk_exchange_test(qk_exchange *exchange, int32_t *done, char *message);

// Returns when both directions have ended.
qk_processes_status qk_exchange_wait(qk_exchange *exchange, char *message);

// Shuts down in good order; every process must call it.
void qk_processes_finish(void);

// Ends all processes at once with an exit code.
void qk_processes_abort(int32_t code);

#endif
