// SPDX-License-Identifier: Apache-2.0
// What the embedded runtime needs and Node cannot do: SOCK_SEQPACKET sockets, pseudo-terminals, setns, unshare, mknod, setxattr.
//   attach DIR stdin|nostdin   bridges standard streams to conmon's attach socket DIR/attach
//   pty SOCKET PIDFILE CMD...  runs CMD, an OCI runtime that execs detached with SOCKET as console socket; bridges the terminal it
//                              sends; "WIDTH HEIGHT\n" on fd 3 resizes it; ends with the exit code of the process in PIDFILE
//   connect NETNS PORT         bridges standard streams to 127.0.0.1 or ::1 in a network namespace; "K" on fd 3 when connected
//   pause                      starts process 1 of a new PID namespace, prints its PID, returns
//   tree                       what layers need: "x path name hex" sets an attribute, "n path octal-mode major:minor" makes a
//                              node; four NUL-ended words per record on standard input
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char buffer[65536];

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static int write_all(int fd, const char *data, ssize_t size) {
  while (size > 0) {
    ssize_t written = write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      struct pollfd ready = {fd, POLLOUT, 0};
      poll(&ready, 1, -1);
      continue;
    }
    if (written < 0) return -1;
    data += written;
    size -= written;
  }
  return 0;
}

static int attach(const char *directory, int with_stdin) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int folder = open(directory, O_PATH | O_CLOEXEC), sock = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  if (folder < 0 || sock < 0) return fail(directory);
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/attach", folder);
  if (connect(sock, (struct sockaddr *)&address, sizeof address) < 0) return fail("connect to the attach socket");
  struct pollfd fds[2] = {{with_stdin ? 0 : -1, POLLIN, 0}, {sock, POLLIN, 0}};
  if (write_all(3, "K", 1) < 0) errno = 0; // fd 3 is optional
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return fail("poll");
    if (fds[1].revents) {
      ssize_t size = recv(sock, buffer, sizeof buffer, 0);
      if (size <= 0) return 0;
      if (write_all(buffer[0] == 3 ? 2 : 1, buffer + 1, size - 1) < 0) return 0;
    }
    if (fds[0].revents) {
      ssize_t size = read(0, buffer, 8192);
      if (size > 0 && write_all(sock, buffer, size) < 0) return 0;
      if (size <= 0) {
        shutdown(sock, SHUT_WR);
        fds[0].fd = -1;
      }
    }
  }
}

// Waits for the OCI runtime to send the terminal; -1 if it ends without.
static int receive_terminal(int listener, pid_t runtime, int *status) {
  struct pollfd ready = {listener, POLLIN, 0};
  while (poll(&ready, 1, 20) == 0 || !ready.revents)
    if (waitpid(runtime, status, WNOHANG) == runtime) return -1;
  char byte, space[CMSG_SPACE(sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
  int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC), terminal = -1;
  if (recvmsg(sock, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&terminal, CMSG_DATA(header), sizeof terminal);
  struct winsize size = {24, 80, 0, 0}; // At once: the process may ask as soon as it runs.
  ioctl(terminal, TIOCSWINSZ, &size);
  close(sock);
  waitpid(runtime, status, 0);
  return terminal;
}

static int pty(const char *path, const char *pidfile, char **command) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0, pid = 0;
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0) return fail(path);
  prctl(PR_SET_CHILD_SUBREAPER, 1); // The detached process becomes our child: its exit code is ours to wait for.
  pid_t runtime = fork();
  if (runtime == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0), dup2(null, 1), close(3);
    execv(command[0], command);
    _exit(127);
  }
  int master = receive_terminal(listener, runtime, &status);
  unlink(path);
  FILE *file = master < 0 ? NULL : fopen(pidfile, "r");
  if (!file || fscanf(file, "%d", &pid) != 1) return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 255;
  struct winsize size = {0};
  struct pollfd fds[3] = {{0, POLLIN, 0}, {master, POLLIN, 0}, {3, POLLIN, 0}};
  for (;;) {
    if (poll(fds, 3, -1) < 0 && errno != EINTR) break;
    if (fds[2].revents) {
      ssize_t got = read(3, buffer, sizeof buffer - 1);
      buffer[got > 0 ? got : 0] = 0;
      if (got <= 0) fds[2].fd = -1;
      for (char *line = buffer; line && sscanf(line, "%hu %hu", &size.ws_col, &size.ws_row) == 2; line = strchr(line, '\n'), line += line != NULL)
        ioctl(master, TIOCSWINSZ, &size);
    }
    if (fds[1].revents) {
      ssize_t got = read(master, buffer, sizeof buffer);
      if (got <= 0 || write_all(1, buffer, got) < 0) break;
    }
    if (fds[0].revents) {
      ssize_t got = read(0, buffer, 4096);
      if (got <= 0) fds[0].fd = -1;
      else if (write_all(master, buffer, got) < 0) break;
    }
  }
  close(master);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int dial(int port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int sock = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(sock, (struct sockaddr *)&v4, sizeof v4) == 0) return sock;
  int reason = errno;
  close(sock);
  sock = socket(AF_INET6, SOCK_STREAM, 0);
  if (sock >= 0 && connect(sock, (struct sockaddr *)&v6, sizeof v6) == 0) return sock;
  errno = reason;
  return -1;
}

static int bridge(const char *netns, int port) {
  int namespace = open(netns, O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0) return fail(netns);
  int sock = dial(port);
  if (sock < 0) return fail("connect");
  write_all(3, "K", 1);
  struct pollfd fds[2] = {{0, POLLIN, 0}, {sock, POLLIN, 0}};
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return fail("poll");
    if (fds[1].revents) {
      ssize_t got = read(sock, buffer, sizeof buffer);
      if (got <= 0 || write_all(1, buffer, got) < 0) return 0;
    }
    if (fds[0].revents) {
      ssize_t got = read(0, buffer, sizeof buffer);
      if (got > 0 && write_all(sock, buffer, got) < 0) return 0;
      if (got <= 0) shutdown(sock, SHUT_WR), fds[0].fd = -1;
    }
  }
}

static int hold(void) {
  if (unshare(CLONE_NEWPID) < 0) return fail("unshare");
  pid_t child = fork();
  if (child != 0) return printf("%d\n", child) < 0;
  setsid();
  prctl(PR_SET_NAME, "pause");
  close_range(0, ~0U, 0);
  signal(SIGTERM, _exit);
  signal(SIGINT, _exit);
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  for (int got;;) {
    sigwait(&wanted, &got);
    while (waitpid(-1, NULL, WNOHANG) > 0);
  }
}

static int tree(void) {
  char *words[4] = {0};
  size_t sizes[4] = {0};
  umask(0);
  for (;;) {
    for (int i = 0; i < 4; i++)
      if (getdelim(&words[i], &sizes[i], 0, stdin) < 1) return i == 0 ? 0 : 1;
    unsigned mode, major, minor;
    if (words[0][0] == 'n' && sscanf(words[2], "%o", &mode) == 1 && sscanf(words[3], "%u:%u", &major, &minor) == 2) {
      if (mknod(words[1], mode, makedev(major, minor)) < 0) return fail(words[1]);
      continue;
    }
    size_t size = strlen(words[3]) / 2;
    for (size_t i = 0; i < size; i++) sscanf(words[3] + 2 * i, "%2hhx", (unsigned char *)words[3] + i);
    if (lsetxattr(words[1], words[2], words[3], size, 0) < 0) return fail(words[1]);
  }
}

int main(int count, char **words) {
  const char *verb = count > 1 ? words[1] : "";
  if (!strcmp(verb, "attach") && count == 4) return attach(words[2], !strcmp(words[3], "stdin"));
  if (!strcmp(verb, "pty") && count > 4) return pty(words[2], words[3], words + 4);
  if (!strcmp(verb, "connect") && count == 4) return bridge(words[2], atoi(words[3]));
  if (!strcmp(verb, "pause")) return hold();
  if (!strcmp(verb, "tree")) return tree();
  fprintf(stderr, "usage: sagong-node attach|pty|connect|pause|tree\n");
  return 2;
}
