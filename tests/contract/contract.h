/*
 * The contract of registry/driver.h, as tests: one suite, which every driver passes.
 *
 * A back end's program has a table (yr_backend) and calls yr_contract_run().
 */
#ifndef YR_CONTRACT_H
#define YR_CONTRACT_H

#include "stage.h"

/* Run everything on @p backend; returns the number of failures, for main(). */
int yr_contract_run(const yr_backend *backend);

/* The parts, each in its file. */
int yr_contract_run_sessions(void);
int yr_contract_run_records(void);
int yr_contract_run_follows(void);
int yr_contract_run_closing(void);

#endif /* YR_CONTRACT_H */
