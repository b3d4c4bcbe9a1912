/* The configuration file has changed and SIGHUP has come: what can change while packets flow changes (time-outs,
 * listeners, idle mode). A file that is wrong, or that needs a restart, changes nothing. Control sends the signal when
 * nothing is left in the rings that knows listeners by their old numbers. Main thread. */
#ifndef PM_RECONFIGURE_H
#define PM_RECONFIGURE_H

struct dataplane;

/* Reads the file; afterwards shared memory says what runs (config_print) or was refused (config_refused); the reasons
 * are in the log. */
void reconfigure(struct dataplane *dataplane);

#endif
