#include "quasar_processes.h"

#if defined(QUASAR_MPI)
#include <mpi.h>
#include <string.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(uintptr_t), "a request handle fits a pointer");

static qk_processes_status result(int code, char *message) {
  if (code == MPI_SUCCESS) return QK_PROCESSES_OK;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  MPI_Error_string(code, text, &length);
  strncpy(message, text, QK_PROCESSES_MESSAGE - 1);
  message[QK_PROCESSES_MESSAGE - 1] = 0;
  return QK_PROCESSES_FAILED;
}

static void load(const qk_exchange *exchange, MPI_Request requests[2]) {
  for (int i = 0; i < 2; i++) memcpy(&requests[i], &exchange->handles[i], sizeof requests[i]);
}

static void store(qk_exchange *exchange, const MPI_Request requests[2]) {
  for (int i = 0; i < 2; i++) memcpy(&exchange->handles[i], &requests[i], sizeof requests[i]);
}

qk_processes_status qk_processes_start(int32_t *rank, int32_t *size, char *message) {
  int provided = 0, own = 0, count = 1;
  int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  // Errors are returned as codes, with a sentence, instead of ending the process.
  if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (code == MPI_SUCCESS) code = MPI_Comm_rank(MPI_COMM_WORLD, &own);
  if (code == MPI_SUCCESS) code = MPI_Comm_size(MPI_COMM_WORLD, &count);
  *rank = own;
  *size = count;
  return result(code, message);
}

qk_processes_status qk_exchange_start(
    const float *send, float *receive, int32_t count, int32_t partner, int32_t tag, qk_exchange *exchange,
    char *message) {
  MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  int code = MPI_Irecv(receive, count, MPI_FLOAT, partner, tag, MPI_COMM_WORLD, &requests[0]);
  if (code == MPI_SUCCESS) code = MPI_Isend(send, count, MPI_FLOAT, partner, tag, MPI_COMM_WORLD, &requests[1]);
  store(exchange, requests);
  return result(code, message);
}

qk_processes_status qk_exchange_test(qk_exchange *exchange, int32_t *done, char *message) {
  MPI_Request requests[2];
  load(exchange, requests);
  int flag = 0;
  int code = MPI_Testall(2, requests, &flag, MPI_STATUSES_IGNORE);
  store(exchange, requests);
  *done = flag;
  return result(code, message);
}

qk_processes_status qk_exchange_wait(qk_exchange *exchange, char *message) {
  MPI_Request requests[2];
  load(exchange, requests);
  int code = MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  store(exchange, requests);
  return result(code, message);
}

void qk_processes_finish(void) {
  int started = 0, ended = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  if (started && !ended) MPI_Finalize();
}

void qk_processes_abort(int32_t code) { MPI_Abort(MPI_COMM_WORLD, code); }

#else

qk_processes_status qk_processes_start(int32_t *rank, int32_t *size, char *message) {
  *rank = 0;
  *size = 1;
  message[0] = 0;
  return QK_PROCESSES_ABSENT;
}

qk_processes_status qk_exchange_start(
    const float *send, float *receive, int32_t count, int32_t partner, int32_t tag, qk_exchange *exchange,
    char *message) {
  (void)send, (void)receive, (void)count, (void)partner, (void)tag, (void)exchange;
  message[0] = 0;
  return QK_PROCESSES_ABSENT;
}

qk_processes_status qk_exchange_test(qk_exchange *exchange, int32_t *done, char *message) {
  (void)exchange;
  *done = 0;
  message[0] = 0;
  return QK_PROCESSES_ABSENT;
}

qk_processes_status qk_exchange_wait(qk_exchange *exchange, char *message) {
  (void)exchange;
  message[0] = 0;
  return QK_PROCESSES_ABSENT;
}

void qk_processes_finish(void) {}

void qk_processes_abort(int32_t code) { (void)code; }
#endif
