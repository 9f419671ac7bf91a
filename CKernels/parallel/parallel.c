// The only file that knows the thread library: libomp, entered through GOMP_parallel, so that the package needs neither
// -fopenmp nor omp.h.
//
// Placement. A spinning worker that shares a CPU with its caller costs a whole time slice. So each worker pins itself
// once to a CPU of its own, and the caller keeps the first CPU free of workers. The caller is moved (two system calls,
// and its mask is restored after the region) only when it enters a region on some other CPU. In the steady state the
// check is one sched_getcpu (about 20 ns).
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>
#include "ckernels/parallel.h"
#include "ckernels/profile.h"

extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);

/// CPUs that get a worker of their own; more threads than this run unpinned.
#define MAX_CPUS 256

static pthread_once_t cpus_once = PTHREAD_ONCE_INIT;
static int cpu_count = 1;
static int cpus[MAX_CPUS];  // CPUs of the process's mask, ascending; written once

static atomic_int requested_threads;  // 0: all CPUs
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int inside_region;
static _Thread_local int pinned_cpu = -1;

#if defined(__linux__)
static void find_cpus(void) {
  cpu_set_t mask;
  if (sched_getaffinity(getpid(), sizeof mask, &mask) != 0) return;
  int found = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && found < MAX_CPUS; cpu++)
    if (CPU_ISSET(cpu, &mask)) cpus[found++] = cpu;
  if (found > 0) cpu_count = found;
}

static int move_to(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  return sched_setaffinity(0, sizeof mask, &mask) == 0;
}

static void pin_worker(int thread) {
  if (pinned_cpu == cpus[thread]) return;
  if (move_to(cpus[thread])) pinned_cpu = cpus[thread];
}

/// Moves the caller to the CPU without a worker; 1 when `saved` must be restored after the region.
static int place_caller(cpu_set_t *saved) {
  if (sched_getcpu() == cpus[0]) return 0;
  if (sched_getaffinity(0, sizeof *saved, saved) != 0 || !CPU_ISSET(cpus[0], saved)) return 0;
  return move_to(cpus[0]);
}

static void restore_caller(const cpu_set_t *saved) { sched_setaffinity(0, sizeof *saved, saved); }
#else
typedef int cpu_set_t;
static void find_cpus(void) {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  if (online > 0) cpu_count = online < MAX_CPUS ? (int)online : MAX_CPUS;
}
static void pin_worker(int thread) { (void)thread; }
static int place_caller(cpu_set_t *saved) { (void)saved; return 0; }
static void restore_caller(const cpu_set_t *saved) { (void)saved; }
#endif

void qk_set_thread_count(int threads) { atomic_store(&requested_threads, threads < 0 ? 0 : threads); }

int qk_thread_count(void) {
  const int requested = atomic_load_explicit(&requested_threads, memory_order_relaxed);
  if (requested > 0) return requested;
  pthread_once(&cpus_once, find_cpus);
  return cpu_count;
}

int qk_region_threads(void) { return inside_region ? 1 : qk_thread_count(); }

typedef struct region {
  qk_parallel_body body;
  void *context;
  size_t count, grain, chunks;
  int pinned;
  atomic_size_t next;
  const char *phase;  ///< the interval that the region belongs to; null while nothing is recorded
  qk_phase waiting;   ///< of the caller, from its last chunk to the end of the region
} region;

static void run_chunk(const region *r, size_t chunk) {
  const size_t begin = chunk * r->grain;
  const size_t end = r->count - begin < r->grain ? r->count : begin + r->grain;
  r->body(r->context, begin, end);
}

static void run_thread(void *data) {
  region *r = data;
  const int thread = omp_get_thread_num();
  if (thread > 0 && r->pinned) pin_worker(thread);
  inside_region = 1;
  qk_phase share = { .open = 0 };
  if (thread > 0 && r->phase) qk_phase_begin_part(&share, r->phase);
  for (;;) {
    const size_t chunk = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
    if (chunk >= r->chunks) break;
    run_chunk(r, chunk);
  }
  qk_phase_end(&share, QK_RESOURCE_NONE, 0);
  inside_region = 0;
  if (thread == 0 && r->phase) qk_phase_begin(&r->waiting, "waiting for threads");
}

void qk_parallel_for(size_t count, size_t grain, void *context, qk_parallel_body body) {
  if (count == 0 || body == NULL) return;
  if (grain == 0) grain = 1;
  region r = { .body = body, .context = context, .count = count, .grain = grain,
               .chunks = (count - 1) / grain + 1, .phase = qk_phase_name() };
  const int threads = qk_region_threads();
  if (threads <= 1 || r.chunks == 1) {
    for (size_t chunk = 0; chunk < r.chunks; chunk++) run_chunk(&r, chunk);
    return;
  }
  pthread_once(&cpus_once, find_cpus);
  r.pinned = threads <= cpu_count;

  // libomp gives every calling thread its own team; turns keep two teams from running at once.
  pthread_mutex_lock(&turn);
  cpu_set_t saved;
  const int moved = r.pinned && place_caller(&saved);
  // The team has the full size even for few chunks, because libomp keeps a team of constant size hot.
  GOMP_parallel(run_thread, &r, (unsigned)threads, 0);
  qk_phase_end(&r.waiting, QK_RESOURCE_NONE, 0);
  if (moved) restore_caller(&saved);
  pthread_mutex_unlock(&turn);
}
