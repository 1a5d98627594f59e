console.log('nothing to bundle yet');
