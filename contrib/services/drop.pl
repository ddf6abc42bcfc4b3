#!/usr/bin/perl -T
# Keeps what clients send, each as a file of its own (policy.d/perl.policy).
#
#	drop.pl DIRECTORY [FILES]
#
# All that a client sends until it ends its stream becomes a file that is
# called by the time and the client's address, whole or not at all. The answer
# is one line: `kept NAME BYTES`, or `lost: REASON`. With FILES (1000) of them
# in DIRECTORY nothing more is taken until somebody has made room.

use strict;
use warnings;
use Errno qw(EEXIST);
use Fcntl;
use IO::Handle;
use POSIX qw(strftime);

# What the policy says, and an address as tcpmuxd writes it: to be trusted.
my ($directory) = ($ARGV[0] // "") =~ m{\A(/.+)\z}s
    or die "usage: drop.pl DIRECTORY [FILES]\n";
my ($most) = ($ARGV[1] // 1000) =~ /\A(\d+)\z/ or die "FILES is a number\n";
my ($from) = ($ENV{REMOTE_ADDR} // "") =~ /\A([0-9a-f.:]+)/ or
    die "not started by tcpmuxd\n";
my $name = strftime("%Y%m%dT%H%M%SZ", gmtime) . "-$from";
my $part;

sub answer
{
	print "$_[0]\n";
	STDOUT->flush;
	shutdown(STDOUT, 1);
}

sub give_up
{
	unlink $part if defined $part;
	answer("lost: $_[0]");
}

# What was not read when a connection is closed takes the answer with it.
sub lost
{
	give_up($_[0]);
	1 while sysread(STDIN, my $rest, 65536);
	exit 1;
}

# The first of NAME, NAME-1, NAME-2 ... below prefix that was not there yet;
# make returns whether it could make it.
sub make_new
{
	my ($prefix, $make) = @_;
	my $path = "$directory/$prefix$name";

	for my $number (1 .. $most + 1000) {
		return $path if $make->($path);
		lost($!) if $! != EEXIST;
		$path = "$directory/$prefix$name-$number";
	}
	lost("too many at a time");
}

# Hidden, so that who looks for what was kept sees nothing that is not whole.
sub copy_in
{
	my ($file, $bytes) = (undef, 0);

	$part = make_new(".", sub {
		sysopen($file, $_[0], O_WRONLY | O_CREAT | O_EXCL, 0600);
	});
	while (1) {
		my $count = sysread(STDIN, my $block, 65536) // lost($!);

		last if $count == 0;
		for (my $done = 0; $done < $count;) {
			$done += syswrite($file, $block, $count - $done, $done)
			    // lost($!);
		}
		$bytes += $count;
	}
	lost("nothing was sent") if $bytes == 0;
	$file->sync && close($file) or lost($!);
	return $bytes;
}

sub is_full
{
	opendir(my $entries, $directory) or lost($!);
	return grep(!/\A\.\.?\z/, readdir $entries) >= $most;
}

$SIG{TERM} = sub { give_up("it took too long"); exit 1 };
$SIG{XFSZ} = "IGNORE"; # a write says so: EFBIG
$SIG{PIPE} = "IGNORE";
lost("no room for more") if is_full();

my $bytes = copy_in();
my $kept = make_new("", sub { link($part, $_[0]) });

unlink $part;
answer("kept " . substr($kept, length("$directory/")) . " $bytes");
