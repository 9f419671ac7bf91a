#ifndef QK_BLAS_THREADS_H
#define QK_BLAS_THREADS_H

/// OpenBLAS runs on the calling thread from now on: its bits depend on how it splits work. It is told once.
void qk_single_threaded_blas(void);

#endif
